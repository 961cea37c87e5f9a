"""Whether the journal can be written: since when not, and when to try again."""

import time

import structlog

from gateway.journal.options import Pace
from gateway.journal.store import Report

_SLOW_US = 500_000
_log = structlog.get_logger(__name__)


def monotonic_us() -> int:
    """Microseconds on a clock that only goes forward, from an arbitrary start."""
    return time.monotonic_ns() // 1_000


class Health:
    """Kept on the event loop, beside the journal's thread."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._failed_us: int | None = None
        self._busy_us: int | None = None
        self._retry_us, self._retry_s = 0, pace.retry_s

    @property
    def failing_since_us(self) -> int | None:
        """The first failure, or the start of a write that has not come back for a while; ``None``: all is well."""
        if self._failed_us is not None:
            return self._failed_us
        slow = self._busy_us is not None and monotonic_us() - self._busy_us > _SLOW_US
        return self._busy_us if slow else None

    def begin(self) -> bool:
        """A write begins; whether to try the disk this time."""
        self._busy_us = monotonic_us()
        return self._busy_us >= self._retry_us

    def end(self, report: Report | None) -> None:
        """It ended, with ``report`` if the disk was tried."""
        self._busy_us = None
        if report is None:
            return
        if report.failure is None:
            if self._failed_us is not None:
                _log.info("journal is written again", condensed=report.condensed, lost=report.lost)
            self._failed_us = None
            self.retry_now()
            return
        now_us = monotonic_us()
        if self._failed_us is None:
            self._failed_us = now_us
            _log.error("journal cannot be written", reason=report.failure)
        self._retry_us = now_us + int(self._retry_s * 1_000_000)
        self._retry_s = min(2 * self._retry_s, self._pace.retry_most_s)

    def retry_now(self) -> None:
        """Let the next write try the disk."""
        self._retry_us, self._retry_s = 0, self._pace.retry_s
