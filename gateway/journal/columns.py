"""Many records side by side, each field a tuple: what C loops can encode and add up."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any, NamedTuple

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Costs, Posting
from gateway.core.scope import Scope
from gateway.journal.record import USUAL, Kind, Rare, Record

Index = list[int]


class Fields(NamedTuple):
    """The fields of some records, in the order of ``Record``."""

    kind: tuple[Kind, ...]
    id: tuple[str, ...]
    at_us: tuple[int, ...]
    rule: tuple[str, ...]
    scope: tuple[Scope | None, ...]
    costs: tuple[Costs, ...]
    postings: tuple[tuple[Posting, ...], ...]
    user: tuple[str | None, ...]
    workspace: tuple[str | None, ...]
    outcome: tuple[str, ...]
    rare: tuple[Rare, ...]
    end: tuple[list[int | None], ...]


class Postings(NamedTuple):
    """The fields of all postings of some records; ``limit`` numbers ``limits``."""

    scope: tuple[Scope, ...] = ()
    limit: Index = []  # noqa: RUF012  (never changed)
    limits: Sequence[LimitKey] = ()
    generation: tuple[int, ...] = ()
    amount: tuple[int, ...] = ()
    after: tuple[Bucket, ...] = ()


class Columns:
    """Some records, by columns. ``cost`` numbers ``costs``: rules share theirs."""

    __slots__ = ("cost", "costs", "fields", "postings", "rare")

    def __init__(self, records: Iterable[Record]) -> None:
        rows = tuple(records)
        self.fields = fields = Fields._make(zip(*rows, strict=True) if rows else ((),) * len(Fields._fields))
        self.cost, self.costs = by_identity(fields.costs)
        self.rare = fields.rare.count(USUAL) != len(rows)
        """Whether any of them has something rare to say."""
        self.postings = Postings()
        postings = [*chain.from_iterable(fields.postings)]
        if postings:
            scopes, limits, generations, amounts, afters = zip(*postings, strict=True)
            self.postings = Postings(scopes, *by_identity(limits), generations, amounts, afters)

    def __len__(self) -> int:
        return len(self.cost)

    def records(self) -> Iterator[Record]:
        """The records."""
        return map(Record._make, zip(*self.fields, strict=True))


def by_identity(values: Sequence[Any]) -> tuple[Index, list[Any]]:
    """Numbers and what they stand for, for objects that are dear to hash or have none."""
    ids = [*map(id, values)]
    distinct = dict(zip(ids, values, strict=True))
    if len(distinct) == 1:
        return [0] * len(ids), [values[0]]
    table = dict(zip(distinct, count(), strict=False))
    return [*map(table.__getitem__, ids)], [*distinct.values()]
