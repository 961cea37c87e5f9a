"""The one place that reads the time and makes ids."""

import secrets
import time


def now_us() -> int:
    """The wall clock in microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000  # noqa: TID251  (this is the place)


def new_id() -> str:
    """A fresh id of 26 hex digits that sorts by the time it was made: 12 of milliseconds, 14 random."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(7)}"  # noqa: TID251  (this is the place)
