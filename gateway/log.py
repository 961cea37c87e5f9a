"""Structured logs: events for operators through structlog, one line for each request through ``AccessLog``."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Literal

import orjson
import structlog

Level = Literal["debug", "info", "warning", "error"]


def configure(level: Level, style: Literal["json", "console"]) -> None:
    """Set up the event log on standard error. Called once, by the command line."""
    number = logging.getLevelNamesMapping()[level.upper()]
    rendering: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if style == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries speak through logging: their warnings matter, their chatter does not, and aiohttp's own
    # tracebacks may quote a raw Authorization line.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)


class AccessLog:
    """One JSON line a request, collected in memory and written by a thread: a stuck disk or pipe stops no request.

    Lines that find ``queue`` others waiting, or a destination that cannot be written, are counted in ``lost``.
    """

    def __init__(self, destination: Path | None, *, interval_s: float = 0.2, queue: int = 100_000) -> None:
        """Write to a file (appended to) or, with ``None``, to standard output."""
        self._path = destination
        self._interval_s = interval_s
        self._queue = queue
        self._lines: list[bytes] = []
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._file: IO[bytes] = self._open()
        self._thread = ThreadPoolExecutor(1, "access-log")
        self.lost = 0

    def _open(self) -> IO[bytes]:
        return sys.stdout.buffer if self._path is None else self._path.open("ab")

    def write(self, line: Mapping[str, object]) -> None:
        """Add one request's line. Never blocks."""
        if self._waiting >= self._queue:
            self.lost += 1
            return
        self._waiting += 1
        self._lines.append(orjson.dumps(line))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._hand_over)

    def _hand_over(self) -> None:
        self._timer = None
        lines, self._lines = self._lines, []
        if lines:
            self._thread.submit(self._append, lines)

    def _append(self, lines: list[bytes]) -> None:
        try:
            self._file.write(b"\n".join(lines) + b"\n")
            self._file.flush()
        except (OSError, ValueError):
            self.lost += len(lines)
        finally:
            self._waiting -= len(lines)

    def reopen(self) -> None:
        """Open the file anew, for log rotation (SIGHUP)."""
        self._hand_over()
        if self._path is not None:
            self._thread.submit(self._reopen)

    def _reopen(self) -> None:
        self._file.close()
        self._file = self._open()

    def close(self) -> None:
        """Write what waits and let go of the file."""
        if self._timer is not None:
            self._timer.cancel()
        self._hand_over()
        self._thread.shutdown(wait=True)
        if self._path is not None:
            self._file.close()


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger for events: ``log.info("reloaded", plans=3)``. Never pass a credential."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger
