"""Which of an upstream's addresses the next request goes to. Nothing here connects or looks at a clock.

An address is left out after too many failures in a row (passive), or when checks of its health fail (active). After
its time out it is tried with one request at a time until one succeeds. If all are out, all are asked: a wrong guess
about health must not take the service down. ``now`` is the event loop's time in seconds.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Patience:
    """``failures`` in a row: then out for ``eject_s`` seconds, each time twice as long, at most ``longest_s``.

    ``rise`` passed checks in a row bring an address in, ``fall`` failed ones take it out.
    """

    failures: int = 3
    eject_s: float = 10.0
    longest_s: float = 300.0
    rise: int = 2
    fall: int = 3


class Standing:
    """How one address stands. ``failures``: of requests, in a row; a success sets it to 0."""

    __slots__ = ("_checks", "_ejections", "_out_until", "_patience", "failures", "healthy")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._out_until = 0.0
        self._ejections = 0
        self._checks = 0
        self.failures = 0
        self.healthy = True
        """What the checks say."""

    def failed(self, now: float) -> float | None:
        """A request failed on it. For how many seconds it is out from now on; ``None``: nothing has changed."""
        patience = self._patience
        self.failures += 1
        if self.failures < patience.failures or now < self._out_until:
            return None
        if now >= self._out_until + patience.longest_s:
            self._ejections = 0
        out_s: float = min(patience.eject_s * 2**self._ejections, patience.longest_s)
        self._ejections = min(self._ejections + 1, 32)
        self._out_until = now + out_s
        return out_s

    def checked(self, *, passed: bool) -> bool:
        """A check of its health has passed or failed; whether that takes it out or brings it in."""
        same = passed == (self._checks > 0)
        self._checks = (self._checks if same else 0) + (1 if passed else -1)
        before = self.healthy
        if self._checks >= self._patience.rise:
            self.healthy = True
        elif -self._checks >= self._patience.fall:
            self.healthy = False
        return self.healthy != before

    def is_up(self, now: float, load: int = 0) -> bool:
        """Whether it is to be asked while it has ``load`` requests; on trial, one."""
        if not self.healthy or now < self._out_until:
            return False
        return self.failures < self._patience.failures or not load


class Candidate(Protocol):
    """An address to choose. ``rank``: higher ones are asked when no lower one is up. ``load``: its requests now."""

    @property
    def rank(self) -> int: ...  # noqa: D102

    @property
    def load(self) -> int: ...  # noqa: D102

    @property
    def standing(self) -> Standing: ...  # noqa: D102


_C = TypeVar("_C", bound=Candidate)


class Balance:
    """Fewest requests first; equals take turns."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = -1

    def choose(self, candidates: Sequence[_C], now: float, without: Collection[_C] = ()) -> _C | None:
        """The next one, or ``None`` if there is none but ``without``. The turn passes on with ``served``."""
        best: _C | None = None
        least: tuple[bool, int, int] | None = None
        count = len(candidates)
        for step in range(1, count + 1):
            candidate = candidates[(self._last + step) % count]
            if candidate in without:
                continue
            load = candidate.load
            key = (not candidate.standing.is_up(now, load), candidate.rank, load)
            if least is None or key < least:
                best, least = candidate, key
        return best

    def served(self, candidates: Sequence[_C], chosen: _C) -> None:
        """``chosen`` has got a request."""
        self._last = candidates.index(chosen)
