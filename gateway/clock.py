"""The one place that reads the time and makes ids."""

import secrets
import time
from itertools import count


def now_us() -> int:
    """The wall clock in microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1_000  # noqa: TID251  (this is the place)


def new_id() -> str:
    """A fresh id of 26 hex digits: 12 of milliseconds, so that ids sort by time, then 14 that no other process has.

    Not a secret: the second half counts up from a random start.
    """
    return id_at(now_us())


def id_at(at_us: int) -> str:
    """The same for an instant that is known already."""
    return f"{at_us // 1_000:012x}{next(_counter) & _MASK:014x}"


_MASK = (1 << 56) - 1
_counter = count(secrets.randbits(56))
