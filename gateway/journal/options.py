"""How a journal is kept: its pace, its bounds, what it forgets."""

from dataclasses import dataclass, field

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the journal does what, in seconds. ``fold_rows`` of folded state are written per ``fold_s``."""

    flush_s: float = 0.1
    flush_records: int = 20_000
    fold_s: float = 1.0
    fold_rows: int = 3_000
    sweep_s: float = 10.0
    retry_s: float = 0.1
    retry_most_s: float = 2.0
    close_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a journal that cannot be written keeps in memory."""

    records: int = 2_000_000
    bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept. ``bytes`` bounds the file: the oldest entries go first; roll-ups and snapshots stay.

    Full buckets are kept a day longer than needed, so that a clock that jumps ahead and comes back mints nothing.
    """

    entries_us: int = 30 * _DAY_US
    bytes: int = 8 << 30
    minutes_us: int = 2 * _DAY_US
    hours_us: int = 90 * _DAY_US
    days_us: int = 1_100 * _DAY_US
    buckets_us: int = _DAY_US


@dataclass(frozen=True, slots=True)
class Options:
    """How a journal is kept."""

    pace: Pace = field(default_factory=Pace)
    bounds: Bounds = field(default_factory=Bounds)
    retention: Retention = field(default_factory=Retention)
