"""A request's body read whole, for routes of our own: bounded, and only once somebody wants it."""

import asyncio

from gateway.core.hop_by_hop import RawHeaders
from gateway.core.problems import BadRequest, ContentTooLarge, Problem
from gateway.proxy.request import Request

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(request: Request, most: int) -> bytes:
    """All of it. Raises ``ContentTooLarge`` above ``most`` bytes, and what is wrong with the body as HTTP.

    How slowly it may come is bounded by the connection, as for every other body.
    """
    if request.length is not None and request.length > most:
        raise _too_large(most)
    if request.broken is not None:
        raise request.broken
    collector = _Collector(most)
    if request.expects_continue and not request.complete and not request.bytes_in and request.minor:
        request.protocol.write(_CONTINUE)
    collector.request_body(request.take_body(collector))
    if request.client_left:
        collector.client_lost()
    elif request.complete:
        collector.request_end(request.trailers)
    return await collector.whole


class _Collector:
    """Takes the body as it comes."""

    def __init__(self, most: int) -> None:
        self.whole: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._most = most
        self._body = bytearray()

    def request_body(self, data: bytes) -> None:
        """More of it."""
        if self.whole.done():
            return
        self._body += data
        if len(self._body) > self._most:
            self._body.clear()
            self._fail(_too_large(self._most))

    def request_end(self, trailers: RawHeaders) -> None:  # noqa: ARG002  (the port's arguments)
        """All of it is here."""
        if not self.whole.done():
            self.whole.set_result(bytes(self._body))

    def request_flush(self) -> None:
        """Nothing is held back."""

    def request_broken(self, problem: Problem) -> None:
        """It is not HTTP."""
        self._fail(problem)

    def client_writable(self) -> None:
        """Nothing is written here."""

    def client_lost(self) -> None:
        """Nobody will read the answer; it only has to end."""
        self._fail(BadRequest("The client left before its request was complete."))

    def _fail(self, problem: Problem) -> None:
        if not self.whole.done():
            self.whole.set_exception(problem)


def _too_large(most: int) -> ContentTooLarge:
    return ContentTooLarge(f"The body is longer than {most} bytes, which is all that is read here.")
