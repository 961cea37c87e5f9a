"""``weighbridge demo``: the stand-in backend with the gateway in front, and what to try."""

import asyncio
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from rich.console import Console

from gateway.app import Gateway
from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ADMIN, ALICE, BOB
from gateway.demo.market import Market
from gateway.server import StartError, start
from gateway.settings.load import load

_DAY_S = 24 * 3600


def demo_yaml(upstream: str, port: int, folder: Path) -> str:
    """The demo's configuration: small budgets, so that a person can empty them by hand."""
    return dedent(f"""\
        listen: 127.0.0.1:{port}
        upstream: {{url: "{upstream}", profile: fiber}}
        identity:
          jwt: {{secret: "${{JWT_SECRET}}"}}
        workspace: {{membership: upstream}}
        admins: {{upstream: true}}
        defaults: {{user: free, workspace: null}}
        fallback: {{plan: free}}
        plans:
          - {{slug: free, name: Free, throughput_limit: 20, window_seconds: 300}}
          - {{slug: team, name: Team, throughput_limit: 10, window_seconds: 300}}
        subscriptions:
          - {{plan: team, scope: workspace, id: "{ACME.id}"}}
        rules:
          - {{method: POST, path: /user/oauth/token, public: true}}
          - {{method: GET, path: /user/me, weight: 1, pays: [user], fallback: true}}
          - {{method: GET, path: /workspace, weight: 0, pays: [user]}}
          - {{method: ANY, path: /contact, weight: 1}}
          - {{method: POST, path: /message/whatsapp, weight: 5}}
        ledger: sqlite:///{folder}/ledger.db
        store: sqlite:///{folder}/store.db
        log: {{access: {folder}/access.log}}
        """)


class Demo(NamedTuple):
    """What runs in the demo."""

    gateway: Gateway
    backend: Backend
    market: Market
    upstream: str


@asynccontextmanager
async def demo(port: int) -> AsyncIterator[Demo]:
    """Backend, gateway and a Stripe that is not real. Raises ``StartError``."""
    secret = secrets.token_hex(32)
    backend, market = Backend(jwt_secret=secret), Market()
    upstream = await backend.start("127.0.0.1", 0)
    try:
        await market.open()
        with tempfile.TemporaryDirectory(prefix="weighbridge-demo-") as name:
            config = Path(name) / "gateway.yaml"
            config.write_text(demo_yaml(upstream, port, Path(name)) + market.yaml(f"http://127.0.0.1:{port}"))
            gateway = await start(load(config, {"JWT_SECRET": secret}))
            try:
                await market.stock(gateway)
                yield Demo(gateway, backend, market, upstream)
            finally:
                await gateway.stop()
    finally:
        await market.close()
        await backend.close()


async def run_demo(port: int) -> None:
    """Run until Ctrl-C. Raises ``StartError``."""
    async with demo(port) as running:
        _print(running.gateway.urls[0], running.upstream, running.backend)
        await _until_stopped()


async def run_backend(place: str, environment: Mapping[str, str]) -> None:
    """Run the backend alone until Ctrl-C. ``place``: ``HOST:PORT``. Raises ``StartError``."""
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        raise StartError(f"--backend: {place!r} is not HOST:PORT, such as 127.0.0.1:9000")
    if not (secret := environment.get("JWT_SECRET")):
        raise StartError("JWT_SECRET is not set: give it the secret that the gateway in front verifies tokens with")
    backend = Backend(jwt_secret=secret)
    try:
        url = await backend.start(host, int(port))
    except OSError as error:
        raise StartError(f"--backend: cannot listen on {place}: {error.strerror}") from error
    try:
        print(f"The stand-in backend listens on {url}. Nothing in it is real. Ctrl-C stops it.", flush=True)  # noqa: T201
        await _until_stopped()
    finally:
        await backend.close()


async def _until_stopped() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def _print(url: str, upstream: str, backend: Backend) -> None:
    alice, bob = (backend.token(user, _DAY_S) for user in (ALICE, BOB))
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]Weighbridge[/]  {url}   in front of the stand-in backend {upstream}")
    console.print("[dim]The backend keeps everything in memory; nothing here is real. Ctrl-C stops both.[/]\n")
    console.print(
        f"Two users, both in the workspace {ACME.name} (10 units every five minutes), each with 20 of their own:\n"
    )
    print(f"export ALICE={alice}", flush=True)  # noqa: T201  (to be copied as it is)
    print(f"export BOB={bob}\n", flush=True)  # noqa: T201
    for title, command in demo_commands(url):
        console.print(f"[bold]{title}[/]")
        print(f"{command}\n", flush=True)  # noqa: T201
    console.print("[bold]4. Buy more: as Alice, in a browser. The shop takes no real money, and its pages say so.[/]")
    print(f"{url}/billing#access_token={alice}\n", flush=True)  # noqa: T201
    console.print(f"[bold]5. Look after it all: as {ADMIN.email}, with the password {ADMIN.password}.[/]")
    print(f"{url}/billing-admin\n", flush=True)  # noqa: T201


def demo_commands(url: str) -> list[tuple[str, str]]:
    """What to paste into another terminal, with what it shows."""
    acme = f'-H "X-Workspace-ID: {ACME.id}"'
    alice = f'-H "Authorization: Bearer $ALICE" {acme} {url}'
    bob = f'-H "Authorization: Bearer $BOB" {acme} {url}'
    show = "| grep -i -E '^(HTTP|x-ratelimit-(scope|remaining)|x-weighbridge-cost|retry-after)'"
    message = f"curl -s -o /dev/null -D - --json '{{}}' {alice}/message/whatsapp {show}"
    contacts = f'curl -s -o /dev/null -w "%{{http_code}} " {bob}/contact'
    return [
        ("1. A metered answer: Acme pays 1 unit.", f"curl -s -o /dev/null -D - {alice}/contact {show}"),
        (
            "2. The cascade: 5 units a message; Acme's do not last, so Alice pays.",
            f"for i in 1 2 3; do {message}; done",
        ),
        (
            "3. A 429: Bob reads contacts until Acme and he have nothing left.",
            f"for i in $(seq 1 35); do {contacts}; done; curl -s {bob}/contact",
        ),
    ]
