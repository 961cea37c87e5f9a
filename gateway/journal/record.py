"""One thing that happened to a budget, and many of them side by side."""

from enum import StrEnum
from typing import NamedTuple, Self

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
    """The sum of ``times`` records of one scope, rule and minute that could not be kept one by one."""


LATE = "late"
"""The outcome of a ``drain`` that ends what was owed."""
_FREE: Costs = {}
_UNKNOWN = (None, None, None)


class Rare(NamedTuple):
    """What most records have nothing to say about; they share ``USUAL``."""

    overrun: Costs = _FREE
    shadow: bool = False
    dropped: tuple[LimitKey, ...] = ()
    deadline_us: int | None = None
    owner: str | None = None
    times: int = 1


USUAL = Rare()


class _Said(NamedTuple):
    kind: Kind
    id: str
    at_us: int
    rule: str
    scope: Scope | None
    costs: Costs
    postings: tuple[Posting, ...]
    user: str | None
    workspace: str | None
    outcome: str
    rare: Rare
    end: list[int | None]


class Record(_Said):
    """A charge, a refusal, or what became of one.

    ``scope`` pays; ``postings`` are the changes of its buckets, in the order in which they were made. ``user`` and
    ``workspace`` are the principal's, whoever paid. ``outcome`` is a word for people (``paid``, ``shadow``, ``held``).
    Latencies and instants in microseconds.

    A tuple, so that thousands of them become columns in one C loop. The one part that changes is ``end``: empty at
    first, then status and latencies; one ``None`` alone if the record was written before.
    """

    __slots__ = ()

    def __new__(  # noqa: PLR0913, PLR0917  (its fields, most of which are rarely there)
        cls,
        kind: Kind,
        id: str,  # noqa: A002  (it is one)
        at_us: int,
        rule: str = "",
        scope: Scope | None = None,
        costs: Costs = _FREE,
        postings: tuple[Posting, ...] = (),
        *,
        status: int | None = None,
        latency_us: int | None = None,
        upstream_latency_us: int | None = None,
        user: str | None = None,
        workspace: str | None = None,
        outcome: str = "",
        rare: Rare = USUAL,
    ) -> Self:
        """A record that may say anything."""
        end = (status, latency_us, upstream_latency_us)
        said = (kind, id, at_us, rule, scope, costs, postings, user, workspace, outcome, rare)
        return tuple.__new__(cls, (*said, [] if end == _UNKNOWN else [*end]))

    @property
    def overrun(self) -> Costs:
        """Units that nobody had."""
        return self.rare.overrun

    @property
    def shadow(self) -> bool:
        """Let through only because its rule does not enforce."""
        return self.rare.shadow

    @property
    def dropped(self) -> tuple[LimitKey, ...]:
        """Buckets of ``scope`` that were carried into others, before the postings."""
        return self.rare.dropped

    @property
    def deadline_us(self) -> int | None:
        """Until when a hold is to be settled."""
        return self.rare.deadline_us

    @property
    def owner(self) -> str | None:
        """Whoever will settle a hold; of what is owed: who would have been asked, as text."""
        return self.rare.owner

    @property
    def times(self) -> int:
        """Of how many records it is the sum."""
        return self.rare.times

    @property
    def status(self) -> int | None:
        """What the client was told."""
        return self.end[0] if self.end else None

    @property
    def latency_us(self) -> int | None:
        """From the request to the end of its answer."""
        return self.end[1] if len(self.end) > 1 else None

    @property
    def upstream_latency_us(self) -> int | None:
        """From sending the request on to the head of the upstream's answer."""
        return self.end[2] if len(self.end) > 1 else None

    @property
    def ends_debt(self) -> bool:
        """Whether what was owed under the same id is not owed any more."""
        return self.kind is Kind.FORGIVEN or (self.kind is Kind.DRAIN and self.outcome == LATE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self[:-1] == other[:-1] and self._ended() == other._ended()

    __hash__ = None  # type: ignore[assignment]

    def _ended(self) -> tuple[int | None, ...]:
        return self.status, self.latency_us, self.upstream_latency_us
