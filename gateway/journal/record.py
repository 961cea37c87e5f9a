"""One thing that happened to a budget."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.core.bucket import LimitKey
from gateway.core.cascade import Costs, Posting
from gateway.core.scope import Scope


class Kind(StrEnum):
    """What a record says. ``costs`` is always the change of what the scope has used."""

    CHARGE = "charge"
    """Paid: ``costs`` were taken from ``scope``."""
    REFUSAL = "refusal"
    """Nobody could pay ``costs``; nothing changed. ``scope`` is the one asked first, if any."""
    REFUND = "refund"
    """Given back: ``costs`` are negative."""
    DRAIN = "drain"
    """Charged after the fact: ``overrun`` is the part that nobody had."""
    HOLD = "hold"
    """Charged now, to be settled before ``deadline_us`` by ``owner``."""
    SETTLE = "settle"
    """The hold of the same id is final: ``costs`` are the difference, of either sign."""
    RELEASE = "release"
    """The hold of the same id was given back whole: ``costs`` are negative."""
    OWED = "owed"
    """Passed while budgets could not be asked; ``owner`` says whose. Ends with a late ``drain``, or forgiven."""
    FORGIVEN = "forgiven"
    """What was owed under the same id is not any more: it was free after all."""
    DONE = "done"
    """How the request of an earlier record ended: status and latencies, nothing else."""
    CONDENSED = "condensed"
    """The sum of ``count`` records of one scope, rule and minute that could not be kept one by one."""


LATE = "late"
"""The outcome of a ``drain`` that ends what was owed."""


@dataclass(slots=True)
class Record:
    """A charge, a refusal, or what became of one. May be changed until the journal has taken it to write it.

    ``scope`` pays; ``postings`` are the changes of its buckets, in the order in which they were made; ``dropped`` are
    buckets of ``scope`` that were carried into others. ``user`` and ``workspace`` are the principal's, whoever paid.
    ``outcome`` is a word for people (``paid``, ``shadow``, ``held``). Latencies and instants in microseconds.
    """

    kind: Kind
    id: str
    at_us: int
    rule: str = ""
    scope: Scope | None = None
    costs: Costs = field(default_factory=dict)
    postings: tuple[Posting, ...] = ()
    status: int | None = None
    latency_us: int | None = None
    upstream_latency_us: int | None = None
    user: str | None = None
    workspace: str | None = None
    outcome: str = ""
    overrun: Costs = field(default_factory=dict)
    shadow: bool = False
    dropped: tuple[LimitKey, ...] = ()
    deadline_us: int | None = None
    owner: str | None = None
    """Whoever will settle a hold; of what is owed: who would have been asked, as text."""
    count: int = 1
    taken: bool = field(default=False, compare=False, repr=False)
    """The journal has begun to write it; changes come too late."""

    @property
    def ends_debt(self) -> bool:
        """Whether what was owed under the same id is not owed any more."""
        return self.kind is Kind.FORGIVEN or (self.kind is Kind.DRAIN and self.outcome == LATE)
