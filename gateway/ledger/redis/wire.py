"""One connection to one server on which calls go out behind one another; whoever sent one is called with its answer.

redis-py's own connections take a task and some hundred microseconds for each call; these take neither. All else is said
through redis-py.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import hiredis

from gateway.core.redis_place import Place

Command = tuple[str | int | bytes, ...]
Answered = Callable[[Any], None]
"""Called with a reply as hiredis makes it, an error too (``hiredis.ReplyError``); with ``LOST`` if there is none."""
LOST = object()
_pack: Any = hiredis.pack_command  # whose types know tuples of one only
_NOT_YET = object()


class Wire(asyncio.Protocol):
    """Made by ``open_wire``. ``is_open`` until the connection is lost; then all who wait are told so."""

    def __init__(self) -> None:
        self._reader: Any = hiredis.Reader(notEnoughData=_NOT_YET)
        self._waiting: deque[Answered] = deque()
        self._transport: asyncio.Transport | None = None
        self.is_open = False
        self.known: dict[str | bytes, str | bytes] = {}
        """What is known to be so of this server, and how that is said from then on (``lua/epoch.lua``)."""
        self.answers = 0
        """How many have come: if that stands still while somebody waits, nobody is there any more."""

    def __len__(self) -> int:
        """How many answers are awaited."""
        return len(self._waiting)

    def send(self, command: Command, answered: Answered) -> None:
        """Send a command on an open connection."""
        self._waiting.append(answered)
        assert self._transport is not None  # noqa: S101  (for the types: it is open)
        self._transport.write(_pack(command))

    async def ask(self, *command: bytes | str | int) -> Any:  # noqa: ANN401
        """Send a command and wait for its reply. Raises ``ConnectionError`` for an error or none."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(command, lambda reply: None if future.done() else future.set_result(reply))
        reply = await future
        if reply is LOST or isinstance(reply, hiredis.ReplyError):
            raise ConnectionError("it was lost" if reply is LOST else str(reply).split(" ", 1)[0])
        return reply

    def abort(self) -> None:
        """Let go of the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport, self.is_open = cast("asyncio.Transport", transport), True  # uvloop's is none by its type

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        reader, waiting = self._reader, self._waiting
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not _NOT_YET:
                self.answers += 1
                waiting.popleft()(reply)
        except (hiredis.ProtocolError, IndexError):  # it is no Redis
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See ``asyncio.Protocol``."""
        self.is_open = False
        waiting, self._waiting = self._waiting, deque()
        for answered in waiting:
            answered(LOST)


async def open_wire(place: Place, found: Callable[[], Awaitable[tuple[str, int]]], timeout_s: float) -> Wire:
    """Connect to ``place``; ``found``: the server that its Sentinels name now. Raises ``OSError``, ``TimeoutError``."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        if place.path is not None:
            _, wire = await loop.create_unix_connection(Wire, place.path)
        else:
            host, port = await found()
            secure = ssl.create_default_context(cafile=place.ca) if place.tls else None
            _, wire = await loop.create_connection(Wire, host, port, ssl=secure)
        try:
            await _greet(wire, place)
        except BaseException:
            wire.abort()
            raise
    return wire


async def _greet(wire: Wire, place: Place) -> None:
    if place.password is not None:
        await wire.ask("AUTH", *(() if place.username is None else (place.username,)), place.password)
    if place.db:
        await wire.ask("SELECT", place.db)
    await wire.ask("CLIENT", "SETNAME", "weighbridge-debits")
