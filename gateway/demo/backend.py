"""The stand-in wacraft backend: start it, log in, see what arrived.

It keeps the essentials of the real server's contract (identity, statuses, bodies, CORS, limits, WebSockets) and its
router's habits. It holds everything in memory and is no place for real data.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from aiohttp import web

from gateway.clock import now_us
from gateway.demo.accounts import add_users, add_workspaces
from gateway.demo.aids import add_aids
from gateway.demo.cors import cors_headers, preflight
from gateway.demo.data import User, World
from gateway.demo.exchange import Call, Refused, Seen, Served, parse_query, text
from gateway.demo.identity import ACCESS_S, Identity
from gateway.demo.limiter import Limiter
from gateway.demo.media import add_media
from gateway.demo.messages import Sending, add_contacts, add_messages
from gateway.demo.protocol import DemoServer
from gateway.demo.rest import add_rest
from gateway.demo.router import METHODS, Missing, Router, detection_path, split_target
from gateway.demo.sign_up import add_sign_up
from gateway.demo.sockets import Campaigns, Feeds, add_sockets
from gateway.demo.webhook_in import add_webhooks
from gateway.tasks import Tasks

MAX_HEAD = 4096
"""Bytes of request line and headers, the blank line included; more is 431."""
MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request body; more is 413."""
SEEN_KEPT = 100_000
CLIENT_LEFT = 499
"""What the request log says of a client that left before its answer was complete, if that was noticed."""

_LOGIN_LIMIT, _LOGIN_WINDOW_S = 10, 15 * 60
_STOP_S = 2.0


class Backend:
    """One stand-in backend. ``requests`` is what arrived, in order of arrival (the newest ``SEEN_KEPT``).

    ``send_delay_s``: how long ``POST /message/whatsapp`` takes, and a fifth of it each message of a campaign.
    ``login_limit``: logins per address and e-mail in 15 minutes; ``None``: no route limits anybody, as with
    ``RATE_LIMIT_ENABLED=false``.
    """

    def __init__(
        self,
        *,
        jwt_secret: str,
        send_delay_s: float = 0.3,
        login_limit: int | None = _LOGIN_LIMIT,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self.requests: deque[Seen] = deque(maxlen=SEEN_KEPT)
        self.world = World()
        self.identity = Identity(self.world, jwt_secret, clock)
        self._changed = asyncio.Event()
        self._tasks = Tasks()
        self._feeds = Feeds()
        self._router: Router[Served] = Router()
        self._runner: web.ServerRunner | None = None
        add_webhooks(self._router, self.world)
        limiter = None if login_limit is None else Limiter(login_limit, _LOGIN_WINDOW_S, clock)
        add_sign_up(self._router, self.world, clock, limited=limiter is not None)
        add_users(self._router, self.world, self.identity, limiter)
        add_workspaces(self._router, self.world, self.identity)
        add_contacts(self._router, self.world, self.identity)
        add_messages(self._router, self.world, self.identity, Sending(self.world, self._feeds, send_delay_s))
        add_media(self._router, self.world, self.identity)
        add_sockets(self._router, self.identity, self._feeds, Campaigns(self._feeds, self._tasks, send_delay_s / 5))
        add_rest(self._router, self.world, self.identity)
        add_aids(self._router)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen and return the base URL; port 0 takes a free one.

        Raises:
            OSError: the port is in use.
        """
        runner = web.ServerRunner(DemoServer(self._handle), shutdown_timeout=_STOP_S)
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=1024)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        bound = runner.addresses[0]
        return f"http://[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"http://{bound[0]}:{bound[1]}"

    async def close(self) -> None:
        """Stop listening, close WebSockets (1001), give requests in flight two seconds."""
        await self._tasks.close()
        await self._feeds.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def token(self, user: User | str, lifetime_s: int = ACCESS_S) -> str:
        """An access token for a user (or a user's name, e-mail address or id), without a login.

        Raises:
            KeyError: nobody is called so.
        """
        found = self.world.user(user) if isinstance(user, str) else user
        if found is None:
            raise KeyError(user)
        return self.identity.issue(found.id, lifetime_s)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; it is judged whenever a request has arrived or its status is known."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = Seen(request.method, request.raw_path, _headers(request))
        self.requests.append(seen)
        self._changed.set()
        path, query = split_target(request.raw_path)
        call = Call(request, seen, path, parse_query(query), cors=cors_headers(request.headers))
        try:
            response = await self._serve(call)
        except Refused as refused:
            response = refused.response
        except ConnectionError:
            seen.status = CLIENT_LEFT
            self._changed.set()
            raise
        if not response.prepared:
            response.headers.update(call.cors)
        seen.status = response.status
        self._changed.set()
        return response

    async def _serve(self, call: Call) -> web.StreamResponse:
        if _head_bytes(call.request) > MAX_HEAD:
            return _last(text(431, "Request Header Fields Too Large"))
        found = self._router.find(call.request.method, call.path)
        streams = not isinstance(found, Missing) and found.route.serve.streams
        if not streams and (refusal := await _read(call)):
            return refusal
        if not streams and call.request.method not in METHODS:
            return text(400, "Invalid http method")
        if (response := preflight(call.request.method, call.request.headers)) is not None:
            return response
        if isinstance(found, Missing):
            return self._missing(call, found)
        if streams:
            await _continue(call.request)
        call.params, call.seen.handler = found.params, found.route.name
        for guard in found.route.serve.guards:
            guard(call)
        return await found.route.serve.handler(call)

    def _missing(self, call: Call, missing: Missing) -> web.Response:
        if detection_path(call.path).startswith("/websocket"):
            for guard in self.identity.sockets:
                guard(call)
        if missing.allow:
            response = text(405, "Method Not Allowed")
            response.headers["Allow"] = ", ".join(missing.allow)
            return response
        return text(404, f"Cannot {call.request.method} {_escape(call.path)}")


async def _read(call: Call) -> web.Response | None:
    """Read the whole body, as fasthttp does before anything is routed; the 413 if it is too big."""
    if (call.request.content_length or 0) > MAX_BODY:
        return _last(text(413, "Request Entity Too Large"))
    await _continue(call.request)
    body = bytearray()
    async for chunk in call.request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            return _last(text(413, "Request Entity Too Large"))
    call.body = bytes(body)
    return None


async def _continue(request: web.BaseRequest) -> None:
    """Ask for the body if the client waits to be asked (RFC 9110, 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer proper has not begun


def _last(response: web.Response) -> web.Response:
    response.force_close()
    return response


def _head_bytes(request: web.BaseRequest) -> int:
    """The size of the head, written the usual way: ``Name: value``."""
    line = len(request.method) + len(request.raw_path.encode("utf-8", "surrogateescape")) + len("  HTTP/1.1\r\n")
    return line + sum(len(name) + len(value) + len(": \r\n") for name, value in request.raw_headers) + len("\r\n")


def _headers(request: web.BaseRequest) -> tuple[tuple[str, str], ...]:
    return tuple(
        (n.decode("utf-8", "surrogateescape"), v.decode("utf-8", "surrogateescape")) for n, v in request.raw_headers
    )


def _escape(path: str) -> str:
    """The path as HTML text; bytes that are not UTF-8 are shown as question marks."""
    shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    marks: dict[str, str | int | None] = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"}
    return shown.translate(str.maketrans(marks))
