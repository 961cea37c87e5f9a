"""One direction of a tunnel: bytes as they come, until a close frame of ours ends it between two frames."""

from collections.abc import Callable
from typing import NamedTuple

from gateway.core.frames import FrameEnds


class Goodbye(NamedTuple):
    """Why the gateway closes a WebSocket: a close code (RFC 6455, 7.4) and a reason for people, never a secret."""

    code: int
    reason: str


class Way:
    """Passes bytes to ``write``. ``over``: nothing more is written."""

    __slots__ = ("_ends", "_last", "_write", "over")

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._ends = FrameEnds()
        self._last: bytes | None = None
        self.over = False

    @property
    def closed(self) -> bool:
        """Whether a close frame has gone by, or has come after the end."""
        return self._ends.closed

    def pass_on(self, data: bytes) -> None:
        """Write these bytes; once the way is to end, only what completes the frame that has begun."""
        if self._last is None:
            self._ends.follow(data)
            self._write(data)
        elif self.over:
            self._ends.follow(data)
        else:
            end = self._ends.follow_to_end(data)
            self._write(data[:end])
            self._say_last()
            self._ends.follow(data[end:])

    def end(self, close: bytes) -> None:
        """Write this close frame as soon as a frame is over, and then nothing more."""
        if self._last is None:
            self._last = close
            self._say_last()

    def shut(self) -> None:
        """Nothing can be written any more."""
        self._last, self.over = b"", True

    def _say_last(self) -> None:
        if self._ends.between and self._last is not None:
            self.over = True
            if not self._ends.closed:  # RFC 6455, 5.5.1: nothing behind a close frame
                self._write(self._last)
