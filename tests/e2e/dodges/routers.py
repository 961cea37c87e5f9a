"""Upstreams that decode paths, or obey fields that override a request: as lenient as their profile lets them be."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from gateway.app import Gateway
from gateway.demo.backend import Backend
from gateway.demo.data import ALICE
from gateway.server import start
from tests.e2e.wire import Answered, request, send
from tests.e2e.world import SECRET
from tests.e2e.world import settings as gateway_settings
from tests.fakes.upstream import Conversation, upstream

RULES = """\
cascade: [user]
workspace: {membership: trust_clients}
defaults: {user: rich}
ledger: "memory:"
plans:
  - {slug: rich, throughput_limit: 1000000000, window_seconds: 86400}
rules:
  - {method: GET, path: /contact, weight: 6}
  - {method: POST, path: /contact, weight: 7}
  - {method: ANY, path: /message/whatsapp, weight: 11}
  - {method: ANY, path: "/message/content/{key}/like/{text}", weight: 10}
  - {method: ANY, path: /message/content/**, weight: 9}
  - {method: ANY, path: /echo/**, weight: 15}
"""
PATHS = ("/contact", "/message/content/sender_data/like/x%20y", "/echo/a")


@dataclass(frozen=True)
class Router:
    """A router as ``profile`` says. What that refuses it would merge, resolve and cut, were it ever to see it."""

    profile: str
    decode_first: bool = False
    fold: bool = False
    drop_slash: bool = False
    cut_parameters: bool = False

    def segments(self, target: bytes) -> tuple[str, ...]:
        """What the router compares."""
        path = target.split(b"#")[0].split(b"?")[0]
        if self.cut_parameters:
            path = re.sub(rb";[^/]*", b"", path)
        if self.decode_first:
            path = unquote_to_bytes(path).replace(b"\\", b"/").split(b"\0")[0]
        found: list[str] = []
        pieces = path.split(b"/")
        for piece in pieces[1:]:
            name = (piece if self.decode_first else unquote_to_bytes(piece)).decode("utf-8", "replace")
            if name == "..":
                found = found[:-1]
            elif name not in {"", "."}:
                found.append(name.lower() if self.fold else name)
        if not self.drop_slash and pieces[-1] == b"" and found:
            found.append("")
        return tuple(found)

    def price(self, method: bytes, target: bytes) -> int:
        """The cost of the handler that is reached; each has its own. 1: none."""
        match self.segments(target):
            case ("contact",):
                return {b"GET": 6, b"POST": 7}.get(method, 1)
            case ("message", "whatsapp"):
                return 11
            case ("message", "content", key, "like", text) if key and text:
                return 10
            case ("message", "content", *_):
                return 9
            case ("echo", *_):
                return 15
        return 1


ROUTERS = (
    Router("strict"),
    Router("{name: strict, case: insensitive, trailing_slash: dropped}", fold=True, drop_slash=True),
    Router("{name: strict, matrix_params: dropped}", cut_parameters=True),
    Router("decoded", decode_first=True),
    Router(
        "{name: decoded, case: insensitive, trailing_slash: dropped}", decode_first=True, fold=True, drop_slash=True
    ),
    Router("{name: decoded, matrix_params: dropped}", decode_first=True, cut_parameters=True),
)


class Behind:
    """A gateway in front of an upstream that takes any request. ``heads``: of those that came."""

    def __init__(self, gateway: Gateway, heads: list[bytes]) -> None:
        self.heads = heads
        self._gateway = gateway
        self._who = ("Authorization", f"Bearer {Backend(jwt_secret=SECRET).token(ALICE)}")

    async def send(
        self, target: bytes, fields: tuple[tuple[str, str], ...] = (), method: str = "GET"
    ) -> tuple[Answered, bytes, int]:
        """The answer, the head that the upstream got (empty: none), and what was debited."""
        units, count = self._gateway.metrics.units, len(self.heads)
        before = sum(units.values())
        answer = await send(self._gateway.urls[0], request(target, [self._who, *fields], method))
        return answer, b"".join(self.heads[count:]), sum(units.values()) - before


@asynccontextmanager
async def in_front(folder: Path, upstream_options: str) -> AsyncIterator[Behind]:
    """``upstream_options``: keys of ``upstream`` besides its URL, such as ``profile: strict``."""
    heads: list[bytes] = []

    async def serve(conversation: Conversation) -> None:
        while True:
            heads.append(await conversation.head())
            await conversation.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with upstream(serve) as up:
        yaml = RULES + f'upstream: {{url: "{up.url}", {upstream_options}}}\n'
        gateway = await start(gateway_settings(folder, up.url, yaml))
        try:
            yield Behind(gateway, heads)
        finally:
            await gateway.stop()
