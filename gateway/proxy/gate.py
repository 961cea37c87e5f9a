"""What a WebSocket's client says, message by message: each that is weighed is paid before a byte of it goes on.

A message costs once, however many fragments it comes in; close, ping and pong are free and wait for nobody. Where a
rule weighs some messages only, a message is held until it can be told, and one that is too long for that is weighed.
"""

from collections import deque
from typing import Protocol

from gateway.core.frame_match import FrameMatch
from gateway.core.frames import CLOSE, FrameReader, Piece
from gateway.metering.visit import Visit
from gateway.proxy.tunnel import PROTOCOL_ERROR, Tunnel
from gateway.proxy.way import Goodbye
from gateway.tasks import Tasks

_HELD = 64 * 1024
"""Bytes that may wait here for a payment before the client is not read any more."""
_FRAMING = 16 * 1024
"""What the heads of a held message's fragments may add: more is no honest message."""


_FAILED = Goodbye(1011, "The gateway failed.")


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
    """Stands between a client and ``tunnel.up``. ``extended``: the two sides have agreed upon an extension."""

    __slots__ = (
        "_backlog",
        "_begun",
        "_held",
        "_match",
        "_over",
        "_passing",
        "_payer",
        "_paying",
        "_pieces",
        "_reader",
        "_tasks",
        "_tunnel",
        "closed",
    )

    def __init__(self, tunnel: Tunnel, match: FrameMatch | None, payer: Payer, tasks: Tasks, *, extended: bool) -> None:
        self._tunnel = tunnel
        self._match = match
        self._payer = payer
        self._tasks = tasks
        self._reader = FrameReader(from_client=True, extended=extended)
        self._pieces: deque[Piece] = deque()
        self._backlog = 0
        self._held = bytearray()
        self._begun = bytearray()
        self._passing = self._paying = self._over = False
        self.closed = False

    @property
    def full(self) -> bool:
        """So much waits for a payment that the client is not to be read."""
        return self._backlog >= _HELD

    @property
    def busy(self) -> bool:
        """A payment is under way."""
        return self._paying

    def take(self, data: bytes) -> None:
        """Bytes from the client."""
        for piece in self._reader.feed(data):
            if piece.frame.opcode == CLOSE and piece.ends:
                self.closed = True
            if not self._over:
                self._backlog += len(piece.payload)
                self._pieces.append(piece)
        if not self._paying and self._go_on():
            self._paying = True
            self._tasks.start(self._pay(), "pay for a message")

    def close(self) -> None:
        """Let nothing more through; a payment that is under way ends by itself."""
        self._over = True
        self._pieces.clear()
        self._held.clear()
        self._begun.clear()
        self._backlog = 0

    def _go_on(self) -> bool:
        """Let through what may go; whether the next has to be paid."""
        out: list[bytes] = []
        due = False
        while self._pieces and not due:
            piece = self._pieces.popleft()
            self._backlog -= len(piece.payload)
            if piece.frame.control:
                out.append(piece.wire)
                if piece.frame.opcode == CLOSE and piece.ends:
                    self.close()  # RFC 6455, 5.5.1: nothing comes behind it
            elif self._passing:
                out.append(piece.wire)
                self._passing = not piece.ends_message
            else:
                verdict = self._judge(piece)
                due = verdict is True
                if verdict is not None:
                    self._passing = not piece.ends_message
                if verdict is False:
                    out.append(self._release())
        if out:
            self._tunnel.up.pass_on(b"".join(out))
        if not due and self._reader.fault is not None and not self._over:
            self._tunnel.say_goodbye(Goodbye(PROTOCOL_ERROR, self._reader.fault))
        return due

    def _judge(self, piece: Piece) -> bool | None:
        """Whether the message is weighed that this piece belongs to; ``None``: that is not known yet. Holds it."""
        self._held += piece.wire
        if self._match is None:
            return True
        self._begun += piece.plain
        if len(self._held) > self._match.most + _FRAMING:
            return self._match.judge(bytes(self._begun), whole=False) is not False
        return self._match.judge(bytes(self._begun), whole=piece.ends_message)

    def _release(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        self._begun.clear()
        return held

    async def _pay(self) -> None:
        """Pay for the message that is held, and for those behind it that are weighed, one after the other."""
        try:
            while await self._paid() and self._go_on():
                pass
        except Exception:
            self._tunnel.say_goodbye(_FAILED)
            raise
        finally:
            self._paying = False
            self._tunnel.gate_open()

    async def _paid(self) -> bool:
        """Pay for the message that is held and let it through; whether that went well."""
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
