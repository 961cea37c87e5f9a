"""A refusal by tills is said in the same bytes as any other."""

import re

import pytest

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

PROFILE = Profile("strict")
HOUR_US = 3_600_000_000
NOW = 10 * HOUR_US + 123_456
KEY = LimitKey("throughput", HOUR_US, Refill.INTERVAL, Epoch())


@pytest.mark.parametrize("cost", [1, 3, 50])
@pytest.mark.parametrize("kinds", [("user",), ("workspace", "user")])
@pytest.mark.parametrize("buy_url", [None, 'https://shop.example/"%d"'])
@pytest.mark.parametrize("odd", [{"cross_origin": False, "close": False}, {"cross_origin": True, "close": True}])
def test_it_is_the_same(cost: int, kinds: tuple[str, ...], buy_url: str | None, odd: dict[str, bool]) -> None:
    snapshot = Snapshot(0, PROFILE, RuleTable.compile((), PROFILE), Catalog({}, {}), kinds, buy_url=buy_url)
    principal, rule = Principal("jwt", "Ann %s \u00e9", "w"), Rule("GET", "/x", weight=cost)
    payers = []
    buckets = {}
    for number, kind in enumerate(kinds):
        scope = principal.scope(kind)
        assert scope is not None
        key = KEY._replace(window_us=HOUR_US * (2 - number))
        payers.append(Allowance(scope, (Purse((Limit(key, 20 + number, 20 + number),), ("s",), "small"),)))
        snapshot.catalog._resolved[scope] = payers[-1]
        buckets[scope] = {key: Bucket(NOW - NOW % key.window_us, 20 + number, NOW)}
    stand = Stand(snapshot, principal, kinds, rule, NOW)
    refusal = charge(Bill("abc", rule.costs, tuple(payers)), lambda scope: buckets[scope], NOW)
    assert isinstance(refusal, Refusal)
    said = answer.of_refusal(refusal, snapshot, "abc", NOW, cross_origin=odd["cross_origin"])
    expected = whole(said, close=odd["close"], minor=1, without_body=False)
    id_line = b"X-Request-ID: abc\r\n"
    found = answer.turned_away(refusal, stand, snapshot, id_line, **odd)
    assert re.sub(rb"Date: .*", b"", found) == re.sub(rb"Date: .*", b"", expected)
