"""What an act says of an allowance: its limits with their present windows, and which purse can pay what."""

from collections.abc import Sequence
from typing import Any

from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket as _Bucket
from gateway.core.bucket import Calendar, LimitKey, Refill, closes_at, window_of
from gateway.core.cascade import Costs
from gateway.core.refund import Gift
from gateway.ledger.redis.states import field_of, grants_text, quoted

_KINDS = {Refill.INTERVAL: 0, Refill.CONTINUOUS: 1, Refill.NEVER: 2}
_EXACT = 4 * 10**15
"""Numbers above are not worked with in Lua, whose numbers are doubles: ``core`` decides there."""
_REMEMBERED = 50_000

Row = list[Any]


class Terms:
    """An allowance as the scripts read it; all that does not depend on the time is worked out once."""

    __slots__ = ("_fixed", "_purses", "allowance", "grants", "keys", "large")

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.keys: list[LimitKey] = []
        self._fixed: list[Row] = []
        self._purses: dict[str, list[Row]] = {}
        for purse in allowance.purses:
            by_meter: dict[str, list[int]] = {}
            for limit in purse.limits:
                self.keys.append(limit.key)
                self._fixed.append(_row(limit.key, limit.amount, limit.burst, grants_text(purse.grants)))
                by_meter.setdefault(limit.key.meter, []).append(len(self.keys))
            ends_us = -1 if purse.ends_us is None else purse.ends_us
            for meter, places in by_meter.items():
                self._purses.setdefault(meter, []).append([purse.rank, ends_us, places])
        self.grants = sorted({quoted(grant) for purse in allowance.purses for grant in purse.grants})
        self.large = any(abs(number) > _EXACT for row in self._fixed for number in row[2:7])

    def rows(self, now_us: int) -> list[Row]:
        """The limits, with the windows that hold ``now_us``."""
        rows = []
        for key, fixed in zip(self.keys, self._fixed, strict=True):
            if key.refill is Refill.INTERVAL:
                start, end = window_of(key, now_us)
                rows.append([*fixed[:3], start, end, *fixed[5:]])
            else:
                rows.append(fixed)
        return rows

    def demands(self, costs: Costs) -> list[Row]:
        """What has to be paid, each with the purses that could."""
        unlimited = self.allowance.is_unlimited
        return [
            [cost, self._purses.get(meter, [])] for meter, cost in costs.items() if cost > 0 and not unlimited(meter)
        ]


def _row(key: LimitKey, amount: int, burst: int, grants: str) -> Row:
    calendar = isinstance(key.anchor, Calendar)
    return [field_of(key), _KINDS[key.refill], key.window_us, 0, 0, amount, burst, grants, calendar]


def gift_rows(gifts: Sequence[Gift]) -> list[Row]:
    """What is given back, with the ends of the windows that it is for."""
    rows = []
    for gift in gifts:
        interval = gift.key.refill is Refill.INTERVAL
        closes_us = closes_at(_Bucket(gift.generation, 0, 0), gift.key) if interval else 0
        rows.append([field_of(gift.key), _KINDS[gift.key.refill], gift.generation, gift.units, closes_us])
    return rows


class TermsOf:
    """``Terms``, remembered by the identity of an allowance's purses, which those who have a default plan share."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, frozenset[str]], Terms] = {}

    def __call__(self, allowance: Allowance) -> Terms:
        """The terms of ``allowance``."""
        key = id(allowance.purses), allowance.unlimited
        known = self._known.get(key)
        if known is not None:
            return known
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        terms = self._known[key] = Terms(allowance)  # which holds the purses: their id stays their own
        return terms
