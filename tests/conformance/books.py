"""What the journal says after a case: one line a record, and every request of somebody known is in it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from gateway.clock import now_us
from gateway.journal import Kind, Record
from gateway.journal.prove import prove
from gateway.journal.read import batches
from tests.conformance.messages import Message

_WARM = 1
"""The first record is that of the request that warms up."""
_CANARY = "ANY /canary"
"""The requests that look whether a connection is in step."""


class Books:
    """The journal that a gateway has left behind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(sqlite3.connect(path)) as connection:
            self.records = [record for _, found in batches(connection, path) for record in found]

    async def compare(self, expected: Sequence[str], arrived: Sequence[Message]) -> None:
        """Hold it against what a case says. ``arrived``: what its upstream got."""
        assert prove(self._path, now_us()) == []
        lines = list(self._lines())
        assert lines == [line for line in expected if line != "nothing"], f"the journal says {lines} of {self.records}"
        ids = {record.id for record in self.records}
        for message in arrived:
            if message.values(b"authorization"):
                (id_,) = message.values(b"x-request-id")
                assert id_.decode() in ids, f"the journal does not know {message}"

    def _lines(self) -> Iterator[str]:
        ends = {record.id: record.status for record in self.records if record.status is not None}
        for record in self.records[_WARM:]:
            if record.kind is not Kind.DONE and record.rule != _CANARY:
                yield _line(record, ends.get(record.id))


def _line(record: Record, status: int | None) -> str:
    units = record.costs.get("throughput", 0)
    return f"{record.kind} {units} {record.rule}{'' if record.kind is Kind.REFUND else f' {status}'}".strip()
