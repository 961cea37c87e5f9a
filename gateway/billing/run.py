"""What one run of the sync did, as it is told while it runs and kept afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gateway.billing.settle import Settled
from gateway.payments.port import ProviderError

KEPT = 200
"""Of each kind so many are kept of a run; how many there were in all is told as well."""

Progress = Callable[[str, int], None]
"""Told what is being done, and how much of it is done."""


def unsaid(_what: str, _count: int) -> None:
    """Nobody watches."""


@dataclass(slots=True)
class Run:
    """What one run did. ``changes``: what was not as the provider has it. ``drift``: the same of the catalog.

    ``changed``: how many sales that were, also where only the first are named. ``cut``: the provider failed before its
    end.
    """

    started_us: int
    full: bool = False
    dry_run: bool = False
    ended_us: int = 0
    happenings: int = 0
    compared: int = 0
    changed: int = 0
    changes: dict[str, list[str]] = field(default_factory=dict)
    drift: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    cut: bool = False

    def note(self, settled: Settled) -> None:
        """A sale was compared; remember what was not the same."""
        if settled.changes:
            self.changed += 1
            named = [f"{each.field}: {each.ours} → {each.theirs}" for each in settled.changes]
            self.changes[settled.subscription.id] = named

    def absorb(self, other: "Run") -> None:
        """Tell of the other as well."""
        self.full = self.full or other.full
        self.cut = self.cut or other.cut
        self.compared += other.compared
        self.changed += other.changed
        self.changes |= other.changes
        self.drift += other.drift
        self.problems += other.problems

    def fail(self, error: ProviderError) -> None:
        """The provider failed before its end."""
        self.problems.append(error.message)
        self.cut = True

    @property
    def quiet(self) -> bool:
        """Whether it found nothing, and nothing went wrong."""
        return not (self.full or self.dry_run or self.changed or self.drift or self.problems)

    def kept(self) -> dict[str, Any]:
        """As JSON. What is left out of long lists is said at their end."""
        said = asdict(self)
        said["changes"] = dict(list(self.changes.items())[:KEPT])
        for name in ("drift", "problems"):
            said[name] = _first(said[name])
        return said


def _first(lines: list[str]) -> list[str]:
    return lines if len(lines) <= KEPT else [*lines[:KEPT], f"and {len(lines) - KEPT} more"]


def was_quiet(kept: Mapping[str, Any]) -> bool:
    """The same of one that is kept."""
    return Run(**kept).quiet
