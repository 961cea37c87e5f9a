"""Little upstreams whose routers have the habits they are told to have."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

Decode = Literal["none", "segments", "path", "twice"]
Case = Literal["sensitive", "insensitive"]
Slash = Literal["significant", "dropped", "redirected"]
Matrix = Literal["data", "dropped"]

ROUTES = {("Things", "List"): "list", ("Things",): "things"}


@dataclass(frozen=True)
class Router:
    """What it does to a path before it looks for a route."""

    decode: Decode = "segments"
    case: Case = "sensitive"
    slash: Slash = "significant"
    matrix: Matrix = "data"
    merges: bool = False
    dots: bool = False
    backslash: bool = False
    cuts_nul: bool = False
    redirects: bool = False
    suffix: bool = False

    def reach(self, raw: str) -> str | None:
        """The handler of a raw path; ``None``: there is none; ``→``: a redirect to the clean path."""
        path = raw.replace("\\", "/") if self.backslash else raw
        if self.matrix == "dropped":
            path = re.sub(";[^/]*", "", path)
        if self.decode in ("path", "twice"):
            path = unquote(unquote(path) if self.decode == "twice" else path)
            path = path.replace("\\", "/") if self.backslash else path
        if self.cuts_nul:
            path = path.partition("\0")[0].partition("%00")[0]
        if self.merges and "//" in path:
            if self.redirects:
                return "→"
            path = re.sub("//+", "/", path)
        pieces = path.removeprefix("/").split("/")
        if self.decode == "segments":
            pieces = [unquote(piece) for piece in pieces]
        if self.dots:
            pieces = resolved(pieces)
        return self._find(pieces)

    def _find(self, pieces: list[str]) -> str | None:
        if pieces[-1] == "" and len(pieces) > 1:
            if self.slash == "redirected":
                return "→"
            while self.slash == "dropped" and pieces and pieces[-1] == "":
                pieces = pieces[:-1]
        if self.suffix:
            pieces = [piece.removesuffix(".json") for piece in pieces]
        for names, handler in ROUTES.items():
            known = list(names)
            if known == pieces or (self.case == "insensitive" and _folded(known) == _folded(pieces)):
                return handler
        return None


def _product() -> list["Router"]:
    decodes: tuple[Decode, ...] = ("none", "segments", "path")
    cases: tuple[Case, ...] = ("sensitive", "insensitive")
    slashes: tuple[Slash, ...] = ("significant", "dropped", "redirected")
    matrices: tuple[Matrix, ...] = ("data", "dropped")
    habits = itertools.product(decodes, cases, slashes, matrices, (False, True))
    return [Router(decode, case, slash, matrix, odd, odd) for decode, case, slash, matrix, odd in habits]


ROUTERS = _product()
"""Every company of habits; where slashes are merged, dots are resolved."""


def resolved(pieces: list[str]) -> list[str]:
    walked: list[str] = []
    for piece in pieces:
        if piece == "..":
            walked = walked[:-1]
        elif piece != ".":
            walked.append(piece)
    return walked or [""]


def _folded(pieces: list[str]) -> list[str]:
    return [piece.lower() for piece in pieces]


Manner = Literal["statuses", "always 200", "who are you", "page", "moody", "nothing"]


class Upstream:
    """Answers by ``router`` in a ``manner``; both may change while it runs."""

    def __init__(self, router: Router, manner: Manner = "statuses") -> None:
        self.router, self.manner = router, manner
        self.url = ""
        self.heads: list[bytes] = []
        self._turn = itertools.count()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        raw = head.split(b" ", 2)[1].decode("latin-1")
        status, kind, body, more = self._answer(raw, self.router.reach(raw), b"authorization: " in head.lower())
        if self.manner != "nothing":
            start = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
            writer.write(start.encode() + body)
            await writer.drain()
        writer.close()

    def _answer(self, raw: str, handler: str | None, known: bool) -> tuple[int, str, bytes, str]:  # noqa: FBT001
        echo = {"path": raw, "turn": next(self._turn)}
        if handler == "→":
            return 301, "text/plain", b"", "Location: /Things/List\r\n"
        found, missing = json.dumps(echo | {"handler": handler}).encode(), f"Cannot GET {raw}".encode()
        match self.manner:
            case "always 200":
                error = json.dumps(echo | {"error": {"code": 404}}).encode()
                return 200, "application/json", error if handler is None else found, ""
            case "who are you" if not known:
                return 401, "text/plain", b"who are you", ""
            case "page":
                return 200, "text/html", b"<p>any page</p>" if handler is None else b"<p>%b</p>" % raw.encode(), ""
            case "moody" if next(self._turn) % 3:
                return 503, "text/plain", b"busy", ""
        return (404, "text/plain", missing, "") if handler is None else (200, "application/json", found, "")


@asynccontextmanager
async def running(router: Router, manner: Manner = "statuses") -> AsyncIterator[Upstream]:
    """An upstream on a free port of this machine."""
    upstream = Upstream(router, manner)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
