"""The stage of the browser's tests: the stand-in backend with a whole gateway in front, as a process of its own.

``python -m tests.ui.stage FOLDER`` prints one line of JSON when both are ready, and ends with its standard input.
A line there is done in the shop, and answered by a line: ``advance SECONDS`` lets time pass for it, ``settle`` and
``fail`` let the money of bank transfers arrive, or not.
"""

import asyncio
import json
import socket
import sys
from pathlib import Path
from textwrap import dedent

from gateway import log
from gateway.demo.backend import Backend
from gateway.demo.data import ACME, BETA, USERS
from gateway.demo.market import Market
from gateway.server import start
from gateway.settings.load import load

SECRET = "a-secret-of-the-browser-tests-that-is-long"
PASSWORD = "correct horse battery"
_LIFE_S = 6 * 3600


def yaml(upstream: str, port: int, folder: Path) -> str:
    """A gateway with something of everything that the pages show."""
    return dedent(f"""\
        listen: 127.0.0.1:{port}
        upstream: {{url: "{upstream}", profile: fiber}}
        identity: {{jwt: {{secret: "${{JWT_SECRET}}"}}}}
        workspace: {{membership: upstream}}
        admins: {{upstream: true, password: "${{ADMIN_PASSWORD}}"}}
        defaults: {{user: free, workspace: null}}
        fallback: {{plan: free}}
        plans:
          - {{slug: free, name: Free, throughput_limit: 1000, window_seconds: 3600}}
          - {{slug: team, name: Team, throughput_limit: 400, window_seconds: 60}}
          - {{slug: tiny, name: Tiny, throughput_limit: 3, window_seconds: 3600}}
        subscriptions:
          - {{plan: team, scope: workspace, id: "{ACME.id}"}}
          - {{plan: tiny, scope: user, id: "{USERS[3].id}"}}
        rules:
          - {{method: POST, path: /user/oauth/token, public: true, weight: 0}}
          - {{method: GET, path: /user/me, weight: 1, pays: [user], fallback: true}}
          - {{method: GET, path: /workspace, weight: 0, pays: [user]}}
          - {{method: GET, path: "/workspace/{{id}}", weight: 0}}
          - {{method: ANY, path: /contact, weight: 1}}
          - {{method: POST, path: /message/whatsapp, weight: 5}}
          - {{method: GET, path: "/message/**", weight: 2}}
        ledger: sqlite:///{folder}/ledger.db
        store: sqlite:///{folder}/store.db
        log: {{access: {folder}/access.log}}
        limits: {{api_calls_per_minute: 100_000}}  # all tests of a file call as the same few people
        """)


async def main(folder: Path) -> None:
    """Run until standard input ends."""
    log.configure("warning", "json")
    backend, market = Backend(jwt_secret=SECRET, send_delay_s=0.01, login_limit=None), Market()
    upstream = await backend.start()
    await market.open()
    port = free_port()  # known beforehand, because the shop is told where its buyers come from
    config = folder / "gateway.yaml"
    config.write_text(yaml(upstream, port, folder) + market.yaml(f"http://127.0.0.1:{port}"))
    gateway = await start(load(config, {"JWT_SECRET": SECRET, "ADMIN_PASSWORD": PASSWORD}))
    await market.stock(gateway)
    tokens = {user.name.lower(): backend.token(user, _LIFE_S) for user in USERS}
    places = {"url": gateway.urls[0], "shop": market.stripe.url, "acme": ACME.id, "beta": BETA.id}
    print(json.dumps({**places, "tokens": tokens}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        happen(market, *line.split())
        print("done", flush=True)
    await gateway.stop()
    await market.close()
    await backend.close()


def happen(market: Market, what: str, seconds: str = "0") -> None:
    """What takes days in a real shop."""
    stripe = market.stripe
    if what == "advance":
        stripe.advance(int(seconds))
        return
    for session in list(stripe.books.kept["sessions"].values()):
        if session["status"] == "complete" and session["payment_status"] == "unpaid":
            stripe.selling.settle(session, paid=what == "settle")


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
