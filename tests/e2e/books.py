"""What clients saw of several gateways, against Redis and against the journals that they left behind."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from gateway.journal import Kind, Record
from gateway.ledger.bounds import FLUSH_MS
from tests.e2e.gateways import Asked, journals_of
from tests.e2e.served import Served

FLUSH_US = FLUSH_MS * 1_000
WRITE_US = 2_000_000
"""Far longer than a write takes, on a machine however busy."""
CLOCKS_US = 200_000
"""Records count in Redis's time as a gateway estimates it; answers in this process's."""


class Kill(NamedTuple):
    """A process that was killed: of which gateway, when, and which journal was its own."""

    place: Served
    at_us: int
    journal: str = "ledger"

    def in_hand(self, seen: Sequence[Asked]) -> int:
        """What it may have charged for nothing, by the printed bound: what it had in hand, and was never answered."""
        return sum(not each.status and each.place is self.place and each.sent_us <= self.at_us for each in seen)

    def unwritten(self, seen: Sequence[Asked]) -> int:
        """What may be missing in its journal, by the printed bound: what it charged since it last wrote, or in hand."""
        since_us = self.written_us() - CLOCKS_US
        return sum(
            each.place is self.place and each.sent_us <= self.at_us and each.ended_us >= since_us for each in seen
        )

    def written_us(self) -> int:
        """What was appended up to this instant is in its journal."""
        own = journals_of(self.place)[self.journal]
        return max((record.at_us for record in own if record.at_us <= self.at_us), default=0)

    def may_have_lost(self, answer: Asked) -> bool:
        """Whether an answer came so late before the kill that its record need not be there."""
        return (
            answer.place is self.place
            and answer.sent_us <= self.at_us
            and answer.ended_us >= max(self.written_us() - CLOCKS_US, self.at_us - FLUSH_US - WRITE_US)
        )


def check_journals(places: Sequence[Served], seen: Sequence[Asked], kills: Sequence[Kill]) -> None:
    """Each answer is in its gateway's journal, once, but for the last moments before a kill, as the docs say."""
    for place in places:
        records = [record for journal in journals_of(place).values() for record in journal]
        charges = charged(records)
        assert set(charges.values()) <= {1}
        for missing in (each for each in seen if each.place is place and each.status == 200 and each.id not in charges):
            assert any(kill.may_have_lost(missing) for kill in kills), f"{missing.id} was answered and is not written"


def charged(records: Sequence[Record]) -> Counter[str]:
    """How often each request was charged."""
    return Counter(record.id for record in records if record.kind is Kind.CHARGE)
