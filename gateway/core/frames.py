"""WebSocket frames as bytes (RFC 6455, 5): where each begins and ends, and what is none. No payload is kept."""

from collections.abc import Iterable
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_OPCODES = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_CONTROL_BYTES = 125
"""A control frame's payload is not longer (5.5)."""
_REASON_BYTES = _CONTROL_BYTES - 2
_CLOSING = 0x80 | CLOSE
"""How a close frame begins: it is whole, and uses no reserved bit."""
_STEPS = [
    0 if (second & 0x7F) > _CONTROL_BYTES else (6 if second & 0x80 else 2) + (second & 0x7F) for second in range(256)
]
"""By its second byte, how long a frame is; 0: its length stands behind."""
_SHORTEST = {0: 0, 2: 126, 8: 65_536}
"""Bytes of an extended length, and from which length on they are used (5.2)."""


class Frame(NamedTuple):
    """The head of a frame. ``rsv``: its three reserved bits, of which extensions make something. ``mask``: or empty."""

    fin: bool
    rsv: int
    opcode: int
    mask: bytes
    length: int

    @property
    def control(self) -> bool:
        """Whether it is a close, ping or pong, which may come between the fragments of a message."""
        return self.opcode >= CLOSE


class Piece(NamedTuple):
    """What one read brought of a frame. ``head``: its head as it came, with its first piece. ``payload``: as it came.

    ``at``: where in the frame's payload.
    """

    frame: Frame
    head: bytes
    payload: bytes
    at: int

    @property
    def ends(self) -> bool:
        """Whether the frame ends here."""
        return self.at + len(self.payload) == self.frame.length

    @property
    def ends_message(self) -> bool:
        """Whether the message that it belongs to ends here."""
        return self.frame.fin and self.ends

    @property
    def wire(self) -> bytes:
        """The bytes as they came."""
        return self.head + self.payload if self.head else self.payload

    @property
    def plain(self) -> bytes:
        """The payload without its mask."""
        return masked(self.payload, self.frame.mask, self.at) if self.frame.mask else self.payload


class FrameReader:
    """Reads the frames of one direction, however they are cut. ``fault``: a sentence, once something was no frame.

    ``from_client``: frames must be masked, or must not be. ``extended``: an extension was agreed upon, so that the
    reserved bits may mean something.
    """

    __slots__ = ("_at", "_data", "_extended", "_fragments", "_frame", "_from_client", "_start", "fault")

    def __init__(self, *, from_client: bool, extended: bool) -> None:
        self._from_client = from_client
        self._extended = extended
        self._data, self._start = b"", 0
        self._frame: Frame | None = None
        self._at = 0
        self._fragments = False
        self.fault: str | None = None

    @property
    def unread(self) -> int:
        """Bytes that came and that nobody has asked for."""
        return len(self._data) - self._start

    def feed(self, data: bytes) -> Iterable[Piece]:
        """Take ``data``; the pieces up to here, each read only when it is asked for."""
        self._data, self._start = (self._data[self._start :] + data if self.unread else data), 0
        return iter(self.next, None)

    def next(self) -> Piece | None:
        """The next piece of what came, if there is one; what comes behind a fault is not read."""
        data, start = self._data, self._start
        if start == len(data) or self.fault is not None:
            return None
        frame, head = self._frame, b""
        if frame is None:
            end = _head_end(data, start)
            if end is None:
                return None
            frame, head = _frame(data, start), data[start:end]
            self.fault = self._wrong(frame, end - start)
            if self.fault is not None:
                return None
            start = end
        piece = Piece(frame, head, data[start : start + frame.length - self._at], self._at)
        self._start = start + len(piece.payload)
        self._frame, self._at = (None, 0) if piece.ends else (frame, self._at + len(piece.payload))
        if self._start == len(data):
            self._data, self._start = b"", 0
        return piece

    def ends(self) -> "FrameEnds":
        """Who follows from here on, what was not asked for included."""
        ends = FrameEnds(0 if self._frame is None else self._frame.length - self._at)
        ends.follow(self._data[self._start :])
        return ends

    def _wrong(self, frame: Frame, head: int) -> str | None:
        """Why this is no frame here; notes whether a message is in fragments from here on."""
        if (fault := self._wrong_form(frame, head)) is not None:
            return fault
        if frame.control:
            sound = frame.fin and frame.length <= _CONTROL_BYTES
            return None if sound else "A control frame must be whole, and hold at most 125 bytes."
        if (frame.opcode == CONTINUATION) != self._fragments:
            return "A message is not over." if self._fragments else "There is no message to continue."
        self._fragments = not frame.fin
        return None

    def _wrong_form(self, frame: Frame, head: int) -> str | None:
        if frame.opcode not in _OPCODES:
            return f"Opcode {frame.opcode} is reserved."
        if frame.rsv and not self._extended:
            return "Reserved bits are set, and no extension was agreed upon."
        if bool(frame.mask) != self._from_client:
            return "A client's frame must be masked." if self._from_client else "A server's frame must not be masked."
        extended = head - 2 - len(frame.mask)
        if not _SHORTEST[extended] <= frame.length < 1 << 63:
            return "A length must be in its shortest form, and below 2**63."
        return None


class FrameEnds:
    """Where the frames of one direction end, for who passes bytes on unread. What is none is not noticed.

    ``left``: bytes to come of a frame that has begun. ``closed``: a close frame has gone by, behind which nothing comes
    (5.5.1).
    """

    __slots__ = ("_left", "_rest", "closed")

    def __init__(self, left: int = 0) -> None:
        self._rest = b""
        self._left = left
        self.closed = False

    @property
    def between(self) -> bool:
        """Whether the bytes so far end with a frame."""
        return not self._left and not self._rest

    def follow(self, data: bytes) -> None:
        """These bytes go by."""
        if self._left > len(data):
            self._left -= len(data)
        else:
            self._walk(data, to_first_end=False)

    def follow_to_end(self, data: bytes) -> int:
        """How many of these bytes belong to the frame that has begun: those go by."""
        return 0 if self.between else self._walk(data, to_first_end=True)

    def _walk(self, data: bytes, *, to_first_end: bool) -> int:
        before = len(self._rest)
        if before:
            data, self._rest = self._rest + data, b""
        at, size = min(self._left, len(data)), len(data)
        self._left -= at
        if to_first_end and at and not self._left:
            return at
        while at < size:
            # Anybody can send frames of two bytes: this loop must be short.
            step = _STEPS[data[at + 1]] if at + 1 < size else 0
            if not step:
                end = _head_end(data, at)
                if end is None:
                    self._rest = data[at:]
                    return size - before
                step = end - at + _length(data, at)
            if data[at] == _CLOSING:
                self.closed = True
            at += step
            if at > size:
                self._left = at - size
                return size - before
            if to_first_end:
                break
        return at - before


def close_frame(code: int, reason: str, mask: bytes = b"") -> bytes:
    """A close frame; with ``mask`` (four random bytes), as a client sends it. A reason that is too long is cut."""
    said = reason.encode()
    if len(said) > _REASON_BYTES:
        said = said[:_REASON_BYTES].decode(errors="ignore").encode()
    payload = code.to_bytes(2, "big") + said
    head = bytes((0x80 | CLOSE, len(payload) | (0x80 if mask else 0)))
    return head + mask + (masked(payload, mask) if mask else payload)


def masked(data: bytes, mask: bytes, at: int = 0) -> bytes:
    """``data`` under ``mask``, or without it; ``at``: where in the frame's payload it stands (5.3)."""
    size, turn = len(data), at % 4
    key = ((mask[turn:] + mask[:turn]) * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def _head_end(data: bytes, start: int) -> int | None:
    """Where the head ends that begins at ``start``; ``None``: later."""
    if len(data) < start + 2:
        return None
    second = data[start + 1]
    short = second & 0x7F
    end = start + (2 if short < 126 else 4 if short == 126 else 10) + (4 if second & 0x80 else 0)  # noqa: PLR2004
    return end if end <= len(data) else None


def _length(data: bytes, start: int) -> int:
    """How long the payload is of the frame whose whole head begins at ``start``."""
    short = data[start + 1] & 0x7F
    if short < 126:  # noqa: PLR2004  (5.2)
        return short
    return int.from_bytes(data[start + 2 : start + (4 if short == 126 else 10)], "big")  # noqa: PLR2004


def _frame(data: bytes, start: int) -> Frame:
    """The frame whose whole head begins at ``start``."""
    first, second = data[start], data[start + 1]
    form = {126: 2, 127: 8}.get(second & 0x7F, 0)
    mask = data[start + 2 + form : start + 6 + form] if second & 0x80 else b""
    return Frame(bool(first & 0x80), first >> 4 & 7, first & 0x0F, mask, _length(data, start))
