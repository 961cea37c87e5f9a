"""``serve``, ``demo`` and ``health``: what runs, and asks what runs."""

import asyncio
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import uvloop

from gateway import log
from gateway.cli.common import config_option, load
from gateway.server import StartError
from gateway.server import serve as run_gateway
from gateway.supervisor import orphaned, supervise, workers_of
from gateway.workers.worker import worker_of


@click.command()
@config_option
def serve(config: Path) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. SIGHUP reloads the configuration; with workers, SIGUSR2 replaces them.

    \b
    Example:  JWT_SECRET=… weighbridge serve --config /etc/weighbridge/gateway.yaml
    """  # noqa: D301
    settings = load(config)
    log.configure(settings.log.level, settings.log.format)
    worker, count = worker_of(os.environ), workers_of(settings)
    for warning in orphaned(settings) if worker is None else ():
        log.get_logger(__name__).warning(warning)
    try:
        if worker is None and count > 1:
            asyncio.run(supervise(config, settings, count))
        else:
            _run(lambda: run_gateway(config, settings, worker))
    except StartError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.option(
    "--port", default=8080, show_default=True, help="The gateway's port; the backend takes the next free one."
)
@click.option(
    "--backend",
    metavar="HOST:PORT",
    help="Start the backend alone, for a gateway elsewhere; JWT_SECRET signs its tokens.",
)
def demo(port: int, backend: str | None) -> None:
    """Start a stand-in backend with the gateway in front, and print what to try.

    \b
    Examples:  weighbridge demo --port 8080
               JWT_SECRET=... weighbridge demo --backend 127.0.0.1:9000
    """  # noqa: D301
    log.configure("warning", "console")
    try:
        from gateway.demo.run import run_backend, run_demo  # noqa: PLC0415  (no other command needs the demo's parts)

        _run((lambda: run_demo(port)) if backend is None else (lambda: run_backend(backend, os.environ)))
    except StartError as error:
        raise click.ClickException(str(error)) from None


@click.command()
@click.option("--url", default="http://127.0.0.1:8080/-/health/ready", show_default=True, help="What to ask.")
@click.option("--timeout", default=3.0, show_default=True, help="Seconds to wait.")
def health(url: str, timeout: float) -> None:
    """Ask a running gateway whether it is ready; exit 0 or 1. For container health checks.

    \b
    Example:  weighbridge health --url http://127.0.0.1:8080/-/health/ready
    """  # noqa: D301
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("must start with http:// or https://", param_hint="--url")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310  (the scheme was checked)
            click.echo(answer.read().decode())
    except OSError as error:
        raise click.ClickException(f"{url}: {error}") from None


def _run(start: Callable[[], Any]) -> None:
    """Run to the end on uvloop, where it is installed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(start())
