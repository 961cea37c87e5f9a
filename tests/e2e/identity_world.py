"""A gateway in front of an upstream that tells what reached it, and a site that publishes keys."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import jwt
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from gateway.app import Gateway
from gateway.clock import now_us
from gateway.server import start
from tests.e2e.world import settings

PLANS = """\
cascade: [workspace, user, address]
defaults: {user: some, workspace: some, address: some}
plans: [{slug: some, name: Some, throughput_limit: 100, window_seconds: 3600}]
"""


class Site(Protocol):
    """What can be served. ``url``: where, once it is."""

    url: str

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        ...


class KeySite:
    """An issuer's JWKS URL. ``up`` false: it hangs up."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.up = True
        self.asked = 0
        self.url = ""

    def publish(self, **keys: rsa.RSAPrivateKey) -> None:
        """Publish these by their ``kid``, and no others."""
        self.keys = [RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid} for kid, key in keys.items()]

    async def serve(self, request: web.Request) -> web.Response:
        self.asked += 1
        if not self.up:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"keys": self.keys})


class Upstream:
    """Answers each request with the fields that reached it, by lower-cased name."""

    def __init__(self) -> None:
        self.arrived: list[web.Request] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.Response:
        self.arrived.append(request)
        fields = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response({"target": request.raw_path, "fields": fields})


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[None]:
    """Serve it on a free port of this machine."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield
    finally:
        await runner.cleanup()


class Answered:
    """What a client was told, and what the upstream was."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def payer(self) -> str:
        return f"{self.headers['X-RateLimit-Scope']}:{self.headers['X-RateLimit-Scope-ID']}"

    @property
    def told(self) -> dict[str, str]:
        fields: dict[str, str] = json.loads(self.body)["fields"]
        return fields


class Asker:
    """Sends requests to one gateway."""

    def __init__(self, gateway: Gateway, upstream: Upstream, session: ClientSession) -> None:
        self.gateway, self.upstream, self._session = gateway, upstream, session

    async def __call__(self, token: str | None = None, path: str = "/things", **headers: str) -> Answered:
        """GET ``path``. Fields are written with ``_`` for ``-``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        async with self._session.get(self.gateway.urls[0] + path, headers=sent) as answer:
            return Answered(answer.status, dict(answer.headers), await answer.read())

    async def metrics(self) -> str:
        """What Prometheus would read."""
        async with self._session.get(f"{self.gateway.urls[0]}/-/metrics") as answer:
            return await answer.text()


@asynccontextmanager
async def gateway(folder: Path, yaml: str, upstream: Upstream) -> AsyncIterator[Asker]:
    """A gateway with the shipped defaults, ``PLANS`` and ``yaml``."""
    running = await start(settings(folder, upstream.url, PLANS + yaml))
    try:
        async with ClientSession() as session:
            yield Asker(running, upstream, session)
    finally:
        await running.stop()


def token(key: Any, kid: str | None = None, algorithm: str = "RS256", **claims: object) -> str:
    """A token that is good for an hour."""
    said = {"sub": "ann", "exp": now_us() // 1_000_000 + 3600, "iss": "https://id.example", "aud": "things"} | claims
    return jwt.encode(said, key, algorithm, headers=None if kid is None else {"kid": kid})
