"""One limit and its live state: refill, take, give back. Integers only; instants are microseconds, passed in."""

from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from typing import Literal, NamedTuple


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


Anchor = Epoch | Since | Calendar


class LimitKey(NamedTuple):
    """What makes two limits of one scope the same bucket: same key, and what was spent carries over.

    ``purse`` is empty for a purse of one limit, else the signature of all its limits: purses never share a bucket.
    ``window_us`` is 0 for ``Refill.NEVER``; for calendar anchors it is the nominal length (day: 86,400 s, month: 31 days).
    For packs ``purse`` is the subscription's id, so that two packs are two buckets.
    """

    meter: str
    window_us: int
    refill: Refill
    anchor: Anchor
    purse: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of one meter per window. ``burst`` is the capacity; it equals ``amount`` unless refill is continuous."""

    key: LimitKey
    amount: int
    burst: int


class Bucket(NamedTuple):
    """The state of one limit, as what was spent, never what is left. A full bucket needs no stored state.

    ``generation``: interval: the start of the window it belongs to (us). Otherwise 0.
    ``spent``: interval and pack: units spent in this generation. Continuous: what is missing, in units x window_us,
    so that refilling loses nothing to rounding.
    ``as_of_us``: the instant of the last change (continuous: when ``spent`` was true).
    ``grants``: ids of the subscriptions that fed this bucket when it was last touched; a plan change carries by them.
    """

    generation: int
    spent: int
    as_of_us: int
    grants: tuple[str, ...] = ()
