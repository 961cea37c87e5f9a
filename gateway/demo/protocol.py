"""aiohttp's low-level server with fiber's manners: its plain text errors, and no credential in a log.

One thing differs from fasthttp: a target with bytes from 0x80 on is 400 here (llhttp refuses it), there it is data.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from gateway.demo.exchange import text

_log = structlog.get_logger(__name__)

_MAX_LINE = 256 * 1024
_MAX_HEADERS = 20_000
_LINGER_S = 0.5


class DemoProtocol(RequestHandler):
    """One connection. What cannot be parsed is 400 (431 if it is too long); a handler's bug is 500."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Parse. A malformed chunk ends the body it stands in: the stock server would let the handler wait for ever."""
        super().data_received(data)
        request = self._current_request
        if request is not None and self._messages and isinstance(self._messages[-1][0], _ErrInfo):
            body = request.content
            if not body.is_eof() and body.exception() is None:
                body.set_exception(RequestPayloadError("malformed body"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  (the base class's signature)
    ) -> web.StreamResponse:
        """The answer to what went wrong; the connection closes behind it. A client that left gets none."""
        if isinstance(exc, ConnectionError):
            raise exc
        if isinstance(exc, RequestPayloadError):
            status = 400
        if status >= 500:  # noqa: PLR2004  (ours)
            _log.error("stand-in backend failed", error=type(exc).__name__, method=request.method)
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun, another cannot follow")
        if isinstance(exc, LineTooLong):
            response = text(431, "Request Header Fields Too Large")
        elif status < 500:  # noqa: PLR2004  (theirs)
            response = text(400, "Bad Request")
        else:
            response = text(status, "Internal Server Error")
        response.force_close()
        return response

    def log_exception(self, *args: object, **kw: object) -> None:
        """Say that something failed, without the request: aiohttp's own text quotes raw header lines."""
        error = kw.get("exc_info") or (args[-1] if args else None)
        _log.error("connection failed", error=type(error).__name__)


class DemoServer(web.Server):
    """Makes a ``DemoProtocol`` for each connection; request targets stay raw, bodies as they came."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)

    def __call__(self) -> RequestHandler:
        """A new connection's protocol."""
        return DemoProtocol(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as aiohttp's own runner turns it off
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
            max_headers=_MAX_HEADERS,
            lingering_time=_LINGER_S,
            auto_decompress=False,
        )
