"""One limit and its live state: refill, take, give back. Integers only; instants are microseconds, passed in."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import Literal, NamedTuple

from gateway.core.window import calendar_window


class Refill(StrEnum):
    """How what was spent comes back."""

    INTERVAL = "interval"
    """Full again at the end of each window."""
    CONTINUOUS = "continuous"
    """A token bucket: ``amount`` per window, spread evenly, up to ``burst``."""
    NEVER = "never"
    """A pack: spent once."""


class Epoch(NamedTuple):
    """Windows are counted from 1970-01-01T00:00:00Z."""


class Since(NamedTuple):
    """Windows are counted from an instant, such as a subscription's start."""

    at_us: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """Windows are days or months of a time zone's calendar."""

    unit: Literal["day", "month"]
    zone: tzinfo

    @property
    def zone_name(self) -> str:
        """The time zone as it is written."""
        return "UTC" if self.zone is UTC else str(self.zone)


Anchor = Epoch | Since | Calendar


class LimitKey(NamedTuple):
    """What makes two limits of one scope the same bucket: same key, and what was spent carries over.

    ``purse`` is empty for a purse of one limit, else the signature of all its limits: purses never share a bucket.
    ``window_us`` is 0 for ``Refill.NEVER``; for calendar anchors it is the nominal length (86,400 s, 31 days).
    For packs ``purse`` is the subscription's id, so that two packs are two buckets. Only ``Refill.INTERVAL`` has an
    anchor other than ``Epoch``.
    """

    meter: str
    window_us: int
    refill: Refill
    anchor: Anchor
    purse: str = ""


LARGEST = 10**15
"""No limit is more, not even of many subscriptions together: readers of JSON and of headers hold it exactly."""


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount (>= 1) of one meter per window. ``burst`` is the capacity: ``amount`` unless refill is continuous."""

    key: LimitKey
    amount: int
    burst: int


class Bucket(NamedTuple):
    """The state of one limit, as what was spent, never what is left. A full bucket needs no stored state.

    ``generation``: interval: the start of the window it belongs to (us). Otherwise 0.
    ``spent``: interval and pack: units spent in this generation. Continuous: what is missing, in units x window_us,
    so that refilling loses nothing to rounding.
    ``as_of_us``: the instant of the last debit (continuous: when ``spent`` was true).
    ``grants``: ids of the subscriptions that fed this bucket when it was last debited; a plan change carries by them.
    ``rate``: continuous: the units per window it refilled with then; it brings a bucket to now whose limit is gone.
    """

    generation: int
    spent: int
    as_of_us: int
    grants: tuple[str, ...] = ()
    rate: int = 0


# Members by name of the module: Python 3.11 looks an enum's members up by a slow way.
INTERVAL = Refill.INTERVAL
_CONTINUOUS = Refill.CONTINUOUS
_NEVER = Refill.NEVER


def window_of(key: LimitKey, now_us: int) -> tuple[int, int]:
    """The window of an interval limit that holds ``now_us``: its start, and its end (exclusive)."""
    anchor = key.anchor
    if isinstance(anchor, Calendar):
        return calendar_window(anchor.unit, anchor.zone, now_us)
    origin = anchor.at_us if isinstance(anchor, Since) else 0
    start = now_us - (now_us - origin) % key.window_us
    return start, start + key.window_us


def closes_at(bucket: Bucket, key: LimitKey) -> int:
    """The end of an interval bucket's window."""
    if isinstance(key.anchor, Calendar):
        return window_of(key, bucket.generation)[1]
    return bucket.generation + key.window_us


def refill(bucket: Bucket | None, limit: Limit, now_us: int) -> Bucket:
    """The bucket as it is at ``now_us``. ``None`` is a full one.

    A clock that steps back refills nothing: a window, or an ``as_of_us``, that lies ahead by up to one window stays
    as it is; one further ahead was written by a clock that had jumped and counts as the current one.
    """
    key = limit.key
    if key.refill is INTERVAL:
        start = window_of(key, now_us)[0]
        if bucket is None:
            return Bucket(start, 0, now_us)
        if bucket.generation < start:
            return Bucket(start, 0, now_us, bucket.grants)
        ahead = bucket.generation > now_us + key.window_us
        return bucket._replace(generation=start, as_of_us=now_us) if ahead else bucket
    if bucket is None:
        return Bucket(0, 0, now_us)
    return bucket if key.refill is _NEVER else _flow(bucket, limit, now_us)


def _flow(bucket: Bucket, limit: Limit, now_us: int) -> Bucket:
    """What a token bucket is still missing at ``now_us``."""
    elapsed = now_us - bucket.as_of_us
    if elapsed >= 0:
        return Bucket(0, max(0, bucket.spent - elapsed * limit.amount), now_us, bucket.grants, bucket.rate)
    return bucket if -elapsed <= limit.key.window_us else bucket._replace(as_of_us=now_us)


def left(bucket: Bucket, limit: Limit) -> int:
    """Whole units that a bucket, refilled to now, can give; never negative."""
    if limit.key.refill is _CONTINUOUS:
        units = limit.burst - -(-bucket.spent // limit.key.window_us)
    else:
        units = limit.burst - bucket.spent
    return max(0, units)


def take(bucket: Bucket, limit: Limit, units: int, now_us: int, grants: tuple[str, ...] = ()) -> Bucket:
    """Debit ``units`` from a bucket that was refilled to ``now_us`` and has them left."""
    if limit.key.refill is _CONTINUOUS:
        # A bucket that is ahead of the clock keeps its instant: until then it refills nothing.
        return Bucket(0, bucket.spent + units * limit.key.window_us, bucket.as_of_us, grants, limit.amount)
    return Bucket(bucket.generation, bucket.spent + units, now_us, grants)


def give_back(bucket: Bucket, key: LimitKey, generation: int, units: int, now_us: int) -> Bucket:
    """Credit ``units`` to the generation that paid them; the same bucket if that one is closed or has nothing to get.

    Never gives more than was spent. It depends on no amount: giving back and refilling can be done in either order.
    """
    if key.refill is _CONTINUOUS:
        spent = bucket.spent - units * key.window_us
    elif bucket.generation != generation or is_closed(bucket, key, now_us):
        return bucket
    else:
        spent = bucket.spent - units
    return bucket._replace(spent=max(spent, 0)) if bucket.spent else bucket


def is_closed(bucket: Bucket, key: LimitKey, now_us: int) -> bool:
    """Whether an interval bucket's window is over, so that all it says is history. Others have no window to close."""
    return key.refill is INTERVAL and closes_at(bucket, key) <= now_us


def units_spent(bucket: Bucket, key: LimitKey) -> int:
    """What a bucket says was spent (continuous: is missing), in whole units, rounded up."""
    return -(-bucket.spent // key.window_us) if key.refill is _CONTINUOUS else bucket.spent


def when_affordable(bucket: Bucket, limit: Limit, cost: int, now_us: int) -> int | None:
    """The earliest instant from now on at which a bucket, refilled to now, has ``cost`` left; ``None``: never."""
    if cost <= left(bucket, limit):
        return now_us
    if cost > limit.burst or limit.key.refill is _NEVER:
        return None
    if limit.key.refill is INTERVAL:
        return closes_at(bucket, limit.key)
    excess = bucket.spent - (limit.burst - cost) * limit.key.window_us
    return bucket.as_of_us + -(-excess // limit.amount)


def full_at(bucket: Bucket, limit: Limit) -> int | None:
    """When a refilled bucket is full again: interval: the end of its window; ``None`` for a pack."""
    if limit.key.refill is INTERVAL:
        return closes_at(bucket, limit.key)
    return None if limit.key.refill is _NEVER else bucket.as_of_us + -(-bucket.spent // limit.amount)
