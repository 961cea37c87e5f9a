"""A gateway in front of the stand-in backend, and a plain HTTP client, for tests that look at the whole."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from aiohttp import ClientResponse, ClientSession, DummyCookieJar
from yarl import URL

from gateway.app import Gateway
from gateway.demo.backend import Backend
from gateway.demo.data import ACME, User
from gateway.server import start
from gateway.settings.load import load
from gateway.settings.models import Settings

SECRET = "a-secret-of-the-tests-that-is-long-enough"

BASE = """\
listen: 127.0.0.1:0
upstream: {{url: "{upstream}", profile: fiber}}
identity:
  jwt: {{secret: "${{JWT_SECRET}}"}}
ledger: sqlite:///{folder}/ledger.db
store: sqlite:///{folder}/store.db
log: {{access: {folder}/access.log}}
"""

PLANS = """\
workspace: {membership: trust_clients}
defaults: {user: free, workspace: null}
plans:
  - {slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}
"""


class World:
    """What a test can do: send requests as a user, look at what arrived, look into the gateway."""

    def __init__(self, backend: Backend, gateway: Gateway, session: ClientSession, folder: Path) -> None:
        self.backend = backend
        self.gateway = gateway
        self.session = session
        self.folder = folder

    @property
    def url(self) -> str:
        return self.gateway.urls[0]

    @property
    def config(self) -> Path:
        return self.folder / "gateway.yaml"

    def headers(self, user: User | None, workspace: str | None = None) -> dict[str, str]:
        """The credential of ``user``, and the workspace header."""
        said = {} if user is None else {"Authorization": f"Bearer {self.backend.token(user)}"}
        return said if workspace is None else {**said, "X-Workspace-ID": workspace}

    async def ask(
        self,
        path: str,
        user: User | None = None,
        *,
        method: str = "GET",
        workspace: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> ClientResponse:
        """One request with its body read."""
        sent = {**self.headers(user, workspace), **(headers or {})}
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, headers=sent, **more) as answer:
            await answer.read()
            return answer

    @property
    def arrived(self) -> list[str]:
        """The handlers of the backend that were reached, in order: ``GET /contact``."""
        return [seen.handler for seen in self.backend.requests]


@asynccontextmanager
async def world(
    folder: Path, yaml: str, *, backend: Backend | None = None, upstream: str | None = None
) -> AsyncIterator[World]:
    """Backend and gateway with ``BASE`` plus ``yaml`` (a key of ``yaml`` replaces the one in ``BASE``).

    ``upstream``: the gateway stands in front of this instead; the backend then only issues tokens.
    """
    backend = backend or Backend(jwt_secret=SECRET, send_delay_s=0.01)
    upstream = upstream or await backend.start()
    try:
        gateway = await start(settings(folder, upstream, yaml))
        try:
            async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as session:
                yield World(backend, gateway, session, folder)
        finally:
            await gateway.stop()
    finally:
        await backend.close()


def settings(folder: Path, upstream: str, yaml: str) -> Settings:
    """Write ``gateway.yaml`` and load it."""
    config = folder / "gateway.yaml"
    config.write_text(merged(BASE.format(upstream=upstream, folder=folder), dedent(yaml)))
    return load(config, {"JWT_SECRET": SECRET})


def merged(base: str, yaml: str) -> str:
    """``base`` without the top-level keys that ``yaml`` has, then ``yaml``."""
    replaced = {line.split(":")[0] for line in yaml.splitlines() if line[:1].isalpha()}
    kept, keep = [], True
    for line in base.splitlines():
        if line[:1].isalpha():
            keep = line.split(":")[0] not in replaced
        if keep:
            kept.append(line)
    return "\n".join([*kept, yaml])


ACME_ID = ACME.id
