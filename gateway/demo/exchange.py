"""One request to the stand-in backend and the shapes of its answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from gateway.demo.data import Member, User


@dataclass(slots=True)
class Seen:
    """A request as it arrived, for tests. The later fields are filled in while it is served.

    ``raw_path`` is the target as it came, query included; ``headers`` are in the order they came, repeated ones too.
    ``handler`` names the route that served it (``GET /contact``) or is empty (404, 405, refused before routing).
    ``user`` is the id of the user whose token was accepted; ``workspace`` the one whose membership was established.
    """

    method: str
    raw_path: str
    headers: tuple[tuple[str, str], ...]
    handler: str = ""
    user: str | None = None
    workspace: str | None = None
    status: int | None = None


@dataclass(slots=True)
class Call:
    """A request on its way through the guards to its handler. ``body`` stays empty for routes that stream."""

    request: web.BaseRequest
    seen: Seen
    path: str
    query: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cors: Mapping[str, str] = field(default_factory=dict)
    user: User | None = None
    member: Member | None = None

    def header(self, name: str) -> str:
        """The first header of that name, or an empty string (as fasthttp gives it)."""
        return str(self.request.headers.get(name, ""))

    @property
    def caller(self) -> User:
        """The user whom the guards established."""
        if self.user is None:
            raise RuntimeError("the route has no user guard")
        return self.user

    @property
    def workspace(self) -> str:
        """The workspace whose membership the guards established."""
        if self.member is None:
            raise RuntimeError("the route has no workspace guard")
        return self.member.workspace_id

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; refused with 400 as fiber's body parser does, also for another content type."""
        media_type = self.header("Content-Type").split(";")[0].strip().lower()
        if media_type != "application/json":
            raise Refused(api_error(400, "unable to parse JSON into struct", "handler", "Unprocessable Entity"))
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Refused(api_error(400, "unable to parse JSON into struct", "handler", str(error))) from None
        if not isinstance(value, dict):
            raise Refused(api_error(400, "unable to parse JSON into struct", "handler", "not an object"))
        return value


class Refused(Exception):  # noqa: N818  (the guards' word)
    """A guard's answer, given instead of the handler's."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


Guard = Callable[[Call], None]
Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Served:
    """A handler behind its guards, which run in order. ``streams``: the handler reads the body itself, of any size."""

    handler: Handler
    guards: tuple[Guard, ...] = ()
    streams: bool = False


def parse_query(query: str) -> dict[str, str]:
    """Query arguments, percent-decoded, ``+`` read as a space; of repeated ones the first counts."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="surrogateescape"):
        found.setdefault(name, value)
    return found


def answer(value: object, status: int = 200) -> web.Response:
    """``value`` as JSON."""
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


def text(status: int, message: str) -> web.Response:
    """A plain text answer, as fiber's own error handler gives it."""
    return web.Response(status=status, text=message, content_type="text/plain", charset="utf-8")


def api_error(status: int, message: str, context: str, inner: str | None = None) -> web.Response:
    """The backend's error body; ``inner`` is the text of the error beneath, whose JSON form is mostly empty."""
    body: dict[str, object] = {
        "context": context,
        "description": message if inner is None else f"{message}: {inner}",
        "message": message,
    }
    if inner is not None:
        body["content"] = {}
    return answer(body, status)


def page(items: list[dict[str, object]], query: Mapping[str, str]) -> web.Response:
    """A slice of a list by ``limit`` and ``offset``; a negative limit is none.

    The real server answers an empty list without a limit; here it is 10, so that a plain curl shows something.
    """
    try:
        limit, offset = int(query.get("limit") or 10), int(query.get("offset") or 0)
    except ValueError as error:
        return api_error(400, "unable to parse JSON into struct", "handler", str(error))
    start = max(offset, 0)
    return answer(items[start:] if limit < 0 else items[start : start + limit])
