"""The command line: ``weighbridge serve | check | explain | migrate | apply | sync | doctor | demo | probe | …``."""

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
import uvloop
from rich.console import Console
from rich.table import Table

from gateway import __version__, assembly, log
from gateway.assembly import build_snapshot, identity_config
from gateway.clock import now_us
from gateway.core.problems import Problem
from gateway.core.rules import RuleErrors
from gateway.core.target import canonical_target
from gateway.demo.run import run_backend, run_demo
from gateway.doctor import doctor
from gateway.habits.command import probe
from gateway.identity.authenticate import Authenticator
from gateway.identity.command import key
from gateway.metering.snapshot import Snapshot
from gateway.server import StartError, serve
from gateway.settings import certificates
from gateway.settings.load import load
from gateway.settings.models import Settings
from gateway.settings.problems import SettingsErrors
from gateway.store.errors import StoreError
from gateway.supervisor import supervise, workers_of
from gateway.workers.worker import worker_of

_HELP = {"help_option_names": ["-h", "--help"]}
_config = click.option(
    "--config",
    "-c",
    envvar="WEIGHBRIDGE_CONFIG",
    default="gateway.yaml",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration file (also: $WEIGHBRIDGE_CONFIG).",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.group(context_settings=_HELP)
@click.version_option(__version__, prog_name="weighbridge")
def main() -> None:
    """Weighbridge meters an API: it weighs each request, debits prepaid budgets, and forwards the rest untouched.

    \b
    Try it:      weighbridge demo
    Check:       weighbridge check --config gateway.yaml
    Run:         weighbridge serve --config gateway.yaml
    """  # noqa: D301  (click reads the \b)


main.add_command(key)
main.add_command(probe)
main.add_command(doctor)


@main.command("serve")
@_config
def serve_command(config: Path) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. SIGHUP reloads the configuration; with workers, SIGUSR2 replaces them.

    \b
    Example:  JWT_SECRET=… weighbridge serve --config /etc/weighbridge/gateway.yaml
    """  # noqa: D301
    settings = _load(config)
    log.configure(settings.log.level, settings.log.format)
    worker, count = worker_of(os.environ), workers_of(settings)
    try:
        if worker is None and count > 1:
            asyncio.run(supervise(config, settings, count))
        else:
            _run(lambda: serve(config, settings, worker))
    except StartError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@_config
@_as_json
def check(config: Path, *, as_json: bool) -> None:
    """Check the configuration and say everything that is wrong with it, or risky.

    \b
    Example:  weighbridge check --config gateway.yaml
    """  # noqa: D301
    settings = _load(config, as_json=as_json)
    snapshot = _snapshot(settings, as_json=as_json)
    shadowed = [f"{found.rule.label} never counts: an admin's rule hides it" for found in snapshot.rules.shadowed]
    warnings = [*settings.warnings, *certificates.cautions(settings, now_us()), *shadowed]
    off = assembly.bounds_of(settings)
    if as_json:
        click.echo(json.dumps({"ok": True, "errors": [], "warnings": warnings, "bounds": off}))
        return
    for warning in warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    for line in off:
        click.echo(f"bound: {line}")
    rules, plans = len(snapshot.rules.rules), len(snapshot.catalog.plans)
    click.echo(f"{config}: good. {plans} plans, {rules} rules, {len(warnings)} warnings.")


@main.command()
@click.argument("method")
@click.argument("path")
@_config
@_as_json
def explain(method: str, path: str, config: Path, *, as_json: bool) -> None:
    """Say which rule a request meets, what it costs, who pays, and which rules lost.

    \b
    Example:  weighbridge explain POST /message/whatsapp
    """  # noqa: D301
    settings = _load(config, as_json=as_json)
    snapshot = _snapshot(settings, as_json=as_json)
    try:
        target = canonical_target(method.upper(), path.encode(), snapshot.profile)
    except Problem as problem:
        _fail([problem.message], as_json=as_json)
    found = snapshot.rules.explain(method.upper(), target.segments)
    rule = found.winner
    pays = list(rule.pays if rule.pays is not None else snapshot.cascade)
    facts: dict[str, Any] = {
        "method": method.upper(),
        "target": target.path,
        "profile": snapshot.profile.name,
        "rule": rule.name,
        "origin": rule.origin.where,
        "weight": rule.weight,
        "pays": pays,
        "public": rule.public,
        "fallback": rule.fallback,
        "enforce": rule.enforce,
        "charge": rule.charge,
        "frame_weight": rule.frame_weight,
    }
    losers = [(loser.rule.name, loser.rule.origin.where, loser.reason) for loser in found.runners_up]
    if as_json:
        runners = [dict(zip(("rule", "origin", "reason"), loser, strict=True)) for loser in losers]
        click.echo(json.dumps({**facts, "runners_up": runners}))
        return
    _print_facts(facts, losers)


@main.command()
@_config
@_as_json
def migrate(config: Path, *, as_json: bool) -> None:
    """Bring the billing database (`store`) to this version. An SQLite file is copied first; a start migrates it too.

    \b
    Example:  weighbridge migrate --config gateway.yaml
    """  # noqa: D301
    from gateway.store.open import migrate as bring  # noqa: PLC0415  (no other command needs the database)

    settings = _load(config, as_json=as_json)
    if settings.store is None:
        _fail(["store is null: there is nothing to migrate"], as_json=as_json)
    try:
        done = asyncio.run(bring(settings.store))
    except StoreError as error:
        _fail([str(error)], as_json=as_json)
    if as_json:
        click.echo(json.dumps({"ok": True, "store": str(done.place), "before": done.before, "after": done.after}))
    elif done.before == done.after:
        click.echo(f"{done.place}: at step {done.after} already.")
    else:
        click.echo(f"{done.place}: from {f'step {done.before}' if done.before else 'nothing'} to step {done.after}.")


@main.command()
@click.option("--full", is_flag=True, help="Compare everything, not only what has happened or is due.")
@click.option("--dry-run", is_flag=True, help="Only print what would be changed.")
@_config
@_as_json
def sync(config: Path, *, full: bool, dry_run: bool, as_json: bool) -> None:
    """Bring what was sold in step with the payment provider, and print what was not. The gateway does it by itself too.

    \b
    Example:  weighbridge sync --full --dry-run
    """  # noqa: D301
    from gateway import selling_commands  # noqa: PLC0415  (no other command needs a payment provider)

    log.configure("warning", "console")
    selling_commands.sync(_load(config, as_json=as_json), full=full, dry_run=dry_run, as_json=as_json)


@doctor.command("stripe")
@click.option("--url", help="The public URL of the webhook: https://…/billing/webhook/stripe")
@_config
@_as_json
def doctor_stripe(config: Path, *, url: str | None, as_json: bool) -> None:
    """Check key, account, webhook endpoint, events, version and plans at Stripe.

    \b
    Example:  weighbridge doctor stripe --url https://api.example.com/billing/webhook/stripe
    """  # noqa: D301
    from gateway import selling_commands  # noqa: PLC0415

    selling_commands.doctor(_load(config, as_json=as_json), url=url, as_json=as_json)


@main.command("apply")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@_config
@_as_json
def apply_command(file: Path, config: Path, *, dry_run: bool, as_json: bool) -> None:
    """Make plans, prices and weights of the billing database as FILE says, and print what that changes.

    What FILE does not name is left alone; nothing is removed. A gateway that runs follows within two seconds. Exits
    with 1 if something is wrong with FILE or the database.

    \b
    FILE:     plans:
                - {slug: pro, name: Pro, throughput_limit: 5000, window_seconds: 60, duration_days: 30,
                   prices: [{currency: usd, price_cents: 4900, is_default: true}]}
              weights:
                - {method: POST, path_pattern: /message/whatsapp, weight: 5}
    Example:  weighbridge apply plans.yaml --dry-run
    """  # noqa: D301
    from gateway.apply.command import apply  # noqa: PLC0415  (no other command needs the database)

    apply(file, _load(config, as_json=as_json), dry_run=dry_run, as_json=as_json)


@main.command()
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
        _run((lambda: run_demo(port)) if backend is None else (lambda: run_backend(backend, os.environ)))
    except StartError as error:
        raise click.ClickException(str(error)) from None


@main.command()
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


def _load(config: Path, *, as_json: bool = False) -> Settings:
    """The settings, or every problem printed and exit 1."""
    try:
        return load(config, os.environ)
    except SettingsErrors as errors:
        _fail([str(error) for error in errors.problems], as_json=as_json)


def _snapshot(settings: Settings, *, as_json: bool) -> Snapshot:
    try:
        Authenticator(identity_config(settings))
        return build_snapshot(settings, 0)
    except RuleErrors as errors:
        _fail([str(error) for error in errors.errors], as_json=as_json)
    except ValueError as error:
        _fail([str(error)], as_json=as_json)


def _fail(problems: list[str], *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"ok": False, "errors": problems, "warnings": []}))
    else:
        for problem in problems:
            click.secho(problem, fg="red", err=True)
        count = len(problems)
        click.echo(f"{count} problem{'' if count == 1 else 's'}. Nothing was started.", err=True)
    sys.exit(1)


def _print_facts(facts: dict[str, Any], losers: list[tuple[str, str, str]]) -> None:
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        shown = " then ".join(value) or "nobody" if isinstance(value, list) else str(value)
        table.add_row(f"[bold]{name}[/]", shown)
    console.print(table)
    if losers:
        console.print("\n[bold]runners-up[/]")
        for name, origin, reason in losers:
            console.print(f"  {name}  [dim]{origin}[/]  {reason}", highlight=False)


def _run(start: Callable[[], Any]) -> None:
    """Run to the end on uvloop, where it is installed."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(start())
