"""A refusal by tills is said in the same bytes as any other."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.allowance import Allowance, Purse
from gateway.core.bucket import Bucket, Epoch, Limit, LimitKey, Refill
from gateway.core.cascade import Bill, Refusal, charge
from gateway.core.principal import Principal
from gateway.core.profile import Profile
from gateway.core.rules import Rule, RuleTable
from gateway.metering.catalog import Catalog
from gateway.metering.snapshot import Snapshot
from gateway.metering.stand import Stand
from gateway.proxy import answer
from gateway.proxy.answer_writer import whole
from gateway.proxy.turned_away import turned_away

PROFILE = Profile("strict")
HOUR_US = 3_600_000_000
NOW = 10 * HOUR_US + 123_456
KEY = LimitKey("throughput", HOUR_US, Refill.INTERVAL, Epoch())


SECOND = 1_000_000
ODD = [{"cross_origin": False, "close": False}, {"cross_origin": True, "close": True}]


class Payers:
    """Whoever pays for requests of one caller: how much each has spent decides."""

    def __init__(self, kinds: tuple[str, ...], buy_url: str | None) -> None:
        self.snapshot = Snapshot(0, PROFILE, RuleTable.compile((), PROFILE), Catalog({}, {}), kinds, buy_url=buy_url)
        principal = Principal("jwt", "Ann %s \u00e9", "w")
        self.allowances: list[Allowance] = []
        for number, kind in enumerate(kinds):
            scope = principal.scope(kind)
            assert scope is not None
            key = KEY._replace(window_us=HOUR_US * (2 - number))
            self.allowances.append(Allowance(scope, (Purse((Limit(key, 20 + number, 20 + number),), ("s",), "small"),)))
            self.snapshot.catalog._resolved[scope] = self.allowances[-1]
        self.stand = Stand(self.snapshot, principal, kinds, Rule("GET", "/x"), NOW)

    def refused(self, cost: int, at_us: int, *, less: int = 0, id_: str = "abc") -> Refusal:
        """By all: they have spent everything but ``less``."""
        buckets = {}
        for allowance in self.allowances:
            (limit,) = allowance.purses[0].limits
            spent = limit.amount - less
            buckets[allowance.scope] = {limit.key: Bucket(NOW - NOW % limit.key.window_us, spent, NOW)}
        outcome = charge(Bill(id_, {"throughput": cost}, tuple(self.allowances)), lambda scope: buckets[scope], at_us)
        assert isinstance(outcome, Refusal)
        return outcome

    def compare(self, refusal: Refusal, *, cross_origin: bool = False, close: bool = False) -> None:
        """That the lane says of it what the reference path says."""
        said = answer.of_refusal(refusal, self.snapshot, refusal.id, refusal.at_us, cross_origin=cross_origin)
        expected = whole(said, close=close, minor=1, without_body=False)
        id_ = refusal.id.encode()
        found = turned_away(refusal, self.stand, self.snapshot, id_, cross_origin=cross_origin, close=close)
        assert re.sub(rb"Date: .*", b"", found) == re.sub(rb"Date: .*", b"", expected)


@pytest.mark.parametrize("cost", [1, 3, 50])
@pytest.mark.parametrize("kinds", [("user",), ("workspace", "user")])
@pytest.mark.parametrize("buy_url", [None, 'https://shop.example/"%d"'])
@pytest.mark.parametrize("odd", ODD)
def test_it_is_the_same(cost: int, kinds: tuple[str, ...], buy_url: str | None, odd: dict[str, bool]) -> None:
    payers = Payers(kinds, buy_url)
    payers.compare(payers.refused(cost, NOW), **odd)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 50]),
            st.one_of(st.integers(0, 3 * SECOND), st.sampled_from([SECOND - 123_456, SECOND - 123_457])),
            st.integers(0, 2),
            st.sampled_from(["abc", "xyz"]),
            st.sampled_from([*ODD, ODD[0]]),
        ),
        min_size=2,
        max_size=12,
    )
)
def test_what_was_said_a_moment_ago_is_said_again_only_while_it_is_true(
    asked: list[tuple[int, int, int, str, dict[str, bool]]],
) -> None:
    payers = Payers(("workspace", "user"), "https://shop.example/?a=%20")
    for cost, after_us, less, id_, odd in asked:
        payers.compare(payers.refused(cost, NOW + after_us, less=min(less, cost - 1), id_=id_), **odd)


def test_until_the_second_is_over_it_is_the_same_text() -> None:
    payers = Payers(("workspace", "user"), None)
    texts = []
    payers.compare(payers.refused(1, NOW - 1))  # whoever is refused only once is not remembered
    for after_us in (0, 1, SECOND - 123_457, SECOND - 123_456, SECOND):
        payers.compare(payers.refused(1, NOW + after_us))
        assert payers.stand.said is not None
        texts.append(payers.stand.said.text)
    assert texts[0] is texts[1] is texts[2]
    assert texts[3] is texts[4] is not texts[0]
