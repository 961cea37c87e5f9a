"""What a WebSocket's client says, message by message: each that is weighed is paid before a byte of it goes on.

A message costs once, however many fragments it comes in; close, ping and pong are free and wait for nobody. Where a
rule weighs some messages only, a message is held until it can be told, and one that is too long for that is weighed.

Small frames are cheap to send and dear to read. So they are read only as they go on, in turns between which everybody
else has one, and the client is not read while much is left.
"""

import asyncio
import time
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from gateway.core.frame_match import FrameMatch
from gateway.core.frames import CLOSE, FrameEnds, FrameReader, Piece
from gateway.metering.visit import Visit
from gateway.proxy.tunnel import PROTOCOL_ERROR, Tunnel
from gateway.proxy.way import Goodbye
from gateway.tasks import Tasks

_HELD = 64 * 1024
"""Bytes that may wait here, unread, before the client is not read any more."""
_TURN = 256
"""Pieces that are looked at before others have their turn."""
_PAYMENT = 8
"""As how many pieces a payment counts."""
_JUDGED = 512
"""Bytes of a begun message whose judging counts as one piece more."""
CONTROLS = 500
"""Control frames that a client may send in a second: they cost nothing, and no honest client needs many."""
_FRAMING = 16 * 1024
"""What the heads of a held message's fragments may add: more is no honest message."""

_FAILED = Goodbye(1011, "The gateway failed.")
_TOO_MANY = Goodbye(1008, f"More than {CONTROLS} control frames in a second.")


class _Then(Enum):
    """What comes after a turn."""

    NOTHING = 1
    A_TURN = 2
    A_PAYMENT = 3


class Payer(Protocol):
    """Who pays for messages."""

    async def pay(self) -> Visit | Goodbye:
        """Pay for one message, or say why it does not go on."""
        ...

    def passed(self, visit: Visit) -> None:
        """The message that was paid goes on."""
        ...

    async def dropped(self, visit: Visit) -> None:
        """The message that was paid does not go on after all."""
        ...


class Gate:
    """Stands between a client and ``tunnel.up``. ``extended``: the two sides have agreed upon an extension.

    ``now``: seconds. ``closed``: the client has sent a close frame.
    """

    __slots__ = (
        "_begun",
        "_controls",
        "_ends",
        "_held",
        "_left",
        "_match",
        "_now",
        "_over",
        "_passing",
        "_payer",
        "_reader",
        "_second",
        "_tasks",
        "_tunnel",
        "_working",
        "closed",
    )

    def __init__(
        self,
        tunnel: Tunnel,
        match: FrameMatch | None,
        payer: Payer,
        tasks: Tasks,
        *,
        extended: bool,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tunnel = tunnel
        self._match = match
        self._payer = payer
        self._tasks = tasks
        self._now = now
        self._reader = FrameReader(from_client=True, extended=extended)
        self._ends: FrameEnds | None = None
        self._held = bytearray()
        self._begun = bytearray()
        self._left = self._controls = 0
        self._second = now()
        self._passing = self._working = self._over = False
        self.closed = False

    @property
    def full(self) -> bool:
        """So much waits that the client is not to be read."""
        return not self._over and self._reader.unread >= _HELD

    @property
    def busy(self) -> bool:
        """A payment is under way, or something has not had its turn."""
        return self._working

    def take(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._over:
            if self._ends is not None:
                self._ends.follow(data)
                self.closed |= self._ends.closed
            return
        self._reader.feed(data)
        if not self._working:
            self._left = _TURN
            then = self._turn()
            if then is not _Then.NOTHING:
                self._working = True
                self._tasks.start(self._work(then), "let a client's messages through")

    def close(self) -> None:
        """Let nothing more through; a payment that is under way ends by itself."""
        if self._over:
            return
        self._over = True
        if self._reader.fault is None and not self.closed:
            self._ends = self._reader.ends()
            self.closed = self._ends.closed
        self._reader = FrameReader(from_client=True, extended=True)
        self._held.clear()
        self._begun.clear()

    def _turn(self) -> _Then:
        """Let through what may go, as much as a turn has left."""
        out: list[bytes] = []
        then, goodbye = _Then.A_TURN, None
        while self._left > 0:
            piece = self._reader.next()
            if piece is None:
                fault = self._reader.fault
                then, goodbye = _Then.NOTHING, None if fault is None else Goodbye(PROTOCOL_ERROR, fault)
                break
            if piece.frame.control and piece.head and self._too_many():
                then, goodbye = _Then.NOTHING, _TOO_MANY
                break
            self._left -= 1
            wire = self._let(piece)
            if wire is None:
                then = _Then.A_PAYMENT
                break
            out.append(wire)
            if self.closed:
                then = _Then.NOTHING
                self.close()  # RFC 6455, 5.5.1: nothing comes behind it
                break
        if out:
            self._tunnel.up.pass_on(b"".join(out))
        if goodbye is not None:
            self._tunnel.say_goodbye(goodbye)
        return then

    def _too_many(self) -> bool:
        """Count a control frame; whether that is one too many."""
        now = self._now()
        if now >= self._second + 1:
            self._second, self._controls = now, 0
        self._controls += 1
        return self._controls > CONTROLS

    def _let(self, piece: Piece) -> bytes | None:
        """What goes on now that this piece is there; ``None``: its message has to be paid first."""
        if piece.frame.control:
            self.closed = piece.frame.opcode == CLOSE and piece.ends
            return piece.wire
        if self._passing:
            self._passing = not piece.ends_message
            return piece.wire
        verdict = self._judge(piece)
        if verdict is None:
            return b""
        self._passing = not piece.ends_message
        return None if verdict else self._release()

    def _judge(self, piece: Piece) -> bool | None:
        """Whether the message is weighed that this piece belongs to; ``None``: that is not known yet. Holds it."""
        self._held += piece.wire
        if self._match is None:
            return True
        self._begun += piece.plain
        self._left -= len(self._begun) // _JUDGED
        if len(self._held) > self._match.most + _FRAMING:
            return self._match.judge(bytes(self._begun), whole=False) is not False
        return self._match.judge(bytes(self._begun), whole=piece.ends_message)

    def _release(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        self._begun.clear()
        return held

    async def _work(self, then: _Then) -> None:
        """Pay for the message that is held, and let through what is behind it, until there is nothing more."""
        try:
            while then is not _Then.NOTHING:
                if then is _Then.A_PAYMENT and not await self._paid():
                    break
                if self._left <= 0:
                    await asyncio.sleep(0)
                    self._left = _TURN
                if self._over:
                    break
                then = self._turn()
        except Exception:
            self._tunnel.say_goodbye(_FAILED)
            raise
        finally:
            self._working = False
            self._tunnel.gate_open()

    async def _paid(self) -> bool:
        """Pay for the message that is held and let it through; whether that went well."""
        self._left -= _PAYMENT
        outcome = await self._payer.pay()
        if isinstance(outcome, Goodbye):
            self._tunnel.say_goodbye(outcome)
            return False
        if self._over or self._tunnel.up.over:
            await self._payer.dropped(outcome)
            return False
        self._tunnel.up.pass_on(self._release())
        self._payer.passed(outcome)
        return True
