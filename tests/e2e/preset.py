"""A gateway with ``preset:wacraft`` in front of the stand-in backend, as an operator would write it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, DummyCookieJar

from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ACME_PHONE
from gateway.server import start
from gateway.settings.load import load
from tests.e2e.world import SECRET, World, merged

LEAST = """\
listen: 127.0.0.1:0
include: ["preset:wacraft"]
upstream: {{url: "{upstream}"}}
ledger: sqlite:///{folder}/ledger.db
store: sqlite:///{folder}/store.db
log: {{access: {folder}/access.log}}
"""
SOLD = f"""\
workspace: {{map: {{waba_id: {{"{ACME_PHONE.waba_id}": "{ACME.id}"}}}}}}
subscriptions: [{{plan: wacraft-free, scope: workspace, id: "{ACME.id}"}}]
"""


@asynccontextmanager
async def preset(folder: Path, more: str = SOLD, *, backend: Backend | None = None) -> AsyncIterator[World]:
    """The backend without limits of its own, as docs/wacraft.md has it, and the gateway. ``more``: of its settings."""
    backend = backend or Backend(jwt_secret=SECRET, send_delay_s=0.01, login_limit=None)
    upstream = await backend.start()
    try:
        config = folder / "gateway.yaml"
        config.write_text(merged(LEAST.format(upstream=upstream, folder=folder), more))
        gateway = await start(load(config, {"JWT_SECRET": SECRET}))
        try:
            async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as session:
                yield World(backend, gateway, session, folder)
        finally:
            await gateway.stop()
    finally:
        await backend.close()
