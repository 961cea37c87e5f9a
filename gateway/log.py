"""Structured logs: events for operators through structlog, one line for each request through ``AccessLog``.

Neither may stop the gateway: what a full disk, a closed pipe or a reader that does not keep up does not take is lost.
"""

import asyncio
import contextlib
import logging
import os
import select
import sys
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Literal

import orjson
import structlog

Level = Literal["debug", "info", "warning", "error"]

_PIPE_TAKES = select.PIPE_BUF
"""So many bytes a pipe takes without making the writer wait, once it is writable at all (pipe(7))."""


class Destination:
    """A file descriptor that text is written to at once, and that never fails or waits."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._poll = select.poll()
        self._poll.register(number, select.POLLOUT)

    def write(self, text: str) -> int:
        """Write what is taken, say that all was."""
        data = text.encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):
            while data and self._poll.poll(0):
                data = data[os.write(self._number, data[:_PIPE_TAKES]) :]
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


def configure(level: Level, style: Literal["json", "console"]) -> None:
    """Set up the event log on standard error. Called once, by the command line."""
    number = logging.getLevelNamesMapping()[level.upper()]
    stream: Any = Destination(sys.stderr.fileno())
    # Plain tracebacks: prettier ones show the values of variables, and some of those are credentials.
    rendering: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if style == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    # Libraries speak through logging: their warnings matter, their chatter does not, and aiohttp's own
    # tracebacks may quote a raw Authorization line.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True, stream=stream)
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)


class AccessLog:
    """One JSON line a request, collected in memory and written by a thread: a stuck disk or pipe stops no request.

    Lines that find ``queue`` others waiting, or a destination that cannot be written, are counted in ``lost``.
    """

    def __init__(self, destination: Path | None, *, interval_s: float = 0.2, queue: int = 100_000) -> None:
        """Write to a file (appended to) or, with ``None``, to standard output. Raises ``OSError``."""
        self._path = destination
        self._interval_s = interval_s
        self._queue = queue
        self._lines: list[bytes] = []
        self._taken = self._dropped = 0  # counted by the event loop
        self._done = self._failed = 0  # counted by the thread
        self._timer: asyncio.TimerHandle | None = None
        self._number = self._open()
        self._torn = False
        self._jobs: SimpleQueue[list[bytes] | Literal["reopen", "end"]] = SimpleQueue()
        self._thread = Thread(target=self._work, name="access-log", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Lines that were never written."""
        return self._dropped + self._failed

    def _open(self) -> int:
        if self._path is None:
            return os.dup(sys.stdout.fileno())
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)

    def write(self, line: Mapping[str, object]) -> None:
        """Add one request's line. Never blocks."""
        self.write_line(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def write_line(self, line: bytes) -> None:
        """The same for a line that is made already, with its line end."""
        self.write_lines([line])

    def write_lines(self, lines: list[bytes]) -> None:
        """The same for many: if there is no room for all, the last ones are lost."""
        room = self._queue - (self._taken - self._done)
        if room < len(lines):
            self._dropped += len(lines) - room
            lines = lines[:room]
        self._taken += len(lines)
        self._lines += lines
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._hand_over)

    def reopen(self) -> None:
        """Open the file anew, for log rotation (SIGHUP)."""
        self._hand_over()
        self._jobs.put("reopen")

    def close(self, patience_s: float = 5.0) -> None:
        """Write what waits, unless that takes longer than ``patience_s``, and let go of the file."""
        self._hand_over()
        self._jobs.put("end")
        self._thread.join(patience_s)

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            lines, self._lines = self._lines, []
            self._jobs.put(lines)

    def _work(self) -> None:
        """The thread."""
        while (job := self._jobs.get()) != "end":
            if job == "reopen":
                self._reopen()
            else:
                self._append(job)
        os.close(self._number)

    def _append(self, lines: list[bytes]) -> None:
        data = b"".join([b"\n" if self._torn else b"", *lines])
        try:
            while data:
                data = data[os.write(self._number, data) :]
                self._torn = True  # until all is written
            self._torn = False
        except OSError:
            self._failed += min(len(lines), data.count(b"\n"))
        self._done += len(lines)

    def _reopen(self) -> None:
        try:
            number = self._open()
        except OSError as error:
            reason = f"{self._path}: {error.strerror}"
            get_logger(__name__).error("access log cannot be opened anew, the old file goes on", reason=reason)
            return
        os.close(self._number)
        self._number, self._torn = number, False


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger for events: ``log.info("reloaded", plans=3)``. Never pass a credential."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger
