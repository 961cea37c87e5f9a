"""Random histories to journal."""

from collections.abc import Iterator

from hypothesis import strategies as st

from gateway.core.limit_text import KeyTexts
from gateway.core.scope import Scope
from gateway.journal import Kind, Rare, Record
from gateway.journal.columns import Columns
from gateway.journal.tally import MINUTE_US, Tally
from tests.journal.world import START_US, World, user


class Story:
    """A random history: charges, refunds, holds, settlements, refusals, drops."""

    def __init__(self, choices: list[tuple[int, int, int]]) -> None:
        self._world = World()
        self._held: list[Record] = []
        self.records = [record for choice in choices for record in self._tell(*choice)]

    def _tell(self, what: int, who: int, minute: int) -> Iterator[Record]:
        for record in self._act(what, user(who)):
            yield record._replace(at_us=record.at_us + minute * MINUTE_US)

    def _act(self, what: int, scope: Scope) -> Iterator[Record]:
        world = self._world
        match what:
            case 0:
                yield world.refusal(scope, 3)
                yield Record(Kind.CHARGE, "free", START_US, "GET /free", scope)
            case 1:
                yield world.charge(scope, -1, kind=Kind.REFUND)
            case 2:
                hold = world.charge(scope, 7, kind=Kind.HOLD)
                self._held.append(hold)
                yield hold
            case 3 | 4 if self._held:
                hold = self._held.pop(0)
                assert hold.scope is not None
                end = world.charge(hold.scope, -2, kind=Kind.SETTLE if what == 3 else Kind.RELEASE)
                yield end._replace(id=hold.id)
            case 5:
                yield world.charge(scope, 4, kind=Kind.DRAIN)._replace(rare=Rare({"throughput": 2, "tokens": 1}))
            case 6:
                yield self._dropping(scope)
            case 7:
                yield Record(Kind.DONE, "r1", START_US, status=200)
            case 8:
                yield Record(Kind.REFUSAL, "nobody", START_US, "GET /x", None, {"throughput": 1})
            case 9 if self._held:
                hold = self._held.pop(0)  # its window is over: nothing is given back
                yield Record(Kind.RELEASE, hold.id, START_US, hold.rule, hold.scope, {"throughput": 0})
            case _:
                yield world.charge(scope, 2, rule=f"GET /{what}")

    def _dropping(self, scope: Scope) -> Record:
        record = self._world.charge(scope, 1)
        record = record._replace(rare=Rare(dropped=tuple(posting.limit for posting in record.postings)))
        return record._replace(postings=()) if self._world.charged % 2 else record


stories = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2), st.integers(0, 3)), max_size=40).map(Story)


def summed(batches: list[list[Record]]) -> tuple[object, ...]:
    tally, texts = Tally(), KeyTexts()
    for seq, records in enumerate(batches, 1):
        tally.add(seq, Columns(records), texts)
    buckets = {scope: {key: state for key, state in states.items() if state} for scope, states in tally.buckets.items()}
    holds = {id_ for id_, (_, _, hold) in tally.holds.items() if hold is not None}
    return {scope: states for scope, states in buckets.items() if states}, tally.usage, holds
