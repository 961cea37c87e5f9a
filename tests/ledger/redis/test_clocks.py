"""Instants that are wrong: of calls that were held up on their way, of clocks that are. Redis's own clock decides."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway import clock
from gateway.core.allowance import THROUGHPUT
from gateway.core.bucket import Refill
from gateway.core.cascade import Charge, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.ledger.redis.ledger import RedisLedger
from gateway.ledger.redis.open import open_redis
from gateway.ledger.redis.skew import Skew
from tests.core.budgets import HOUR, MINUTE, SECOND, bill, default_of, per, plan
from tests.redis_server.server import own_redis

LATE, EARLY = -3 * HOUR, 3 * HOUR
TEN = 10


def window_us() -> int:
    """About an hour, and not about to end."""
    now_us = clock.now_us()
    return next(each for each in (HOUR, HOUR + 7 * MINUTE) if now_us % each < each - MINUTE)


PLANS = {
    "one limit": lambda: plan(per(TEN, window_us())),
    "a token bucket": lambda: plan(per(TEN, HOUR, Refill.CONTINUOUS)),
    "two limits": lambda: plan(per(TEN, window_us()), per(10**6, 31 * HOUR)),
}


@asynccontextmanager
async def opened(
    url: str, now_us: Callable[[], int] = clock.now_us, *, leased: bool = False
) -> AsyncIterator[RedisLedger]:
    ledger = await open_redis(url, prefix="t", gather_s=0, timeout_s=5.0, leased=leased, now_us=now_us)
    try:
        yield ledger
    finally:
        await ledger.close()


async def soon(ledger: RedisLedger, number: int, budget: object, now_us: int) -> Charge | Refusal:
    """As the fast lane asks."""
    told: asyncio.Future[Charge | Refusal | StoreUnavailable] = asyncio.get_running_loop().create_future()
    assert ledger.charge_soon(bill(1, default_of(budget), id_=f"soon {number}"), now_us, told.set_result)  # type: ignore[arg-type]
    outcome = await told
    assert not isinstance(outcome, StoreUnavailable)
    return outcome


@pytest.mark.parametrize("off_us", [LATE, EARLY], ids=["late", "early"])
@pytest.mark.parametrize("leased", [False, True], ids=["exact", "leased"])
@pytest.mark.parametrize("kind", PLANS)
async def test_an_instant_that_is_wrong_opens_no_second_window(kind: str, off_us: int, *, leased: bool) -> None:
    budget = PLANS[kind]()
    with own_redis() as server:
        async with opened(server.url, leased=leased) as ledger:
            paid = 0
            for number in range(2 * TEN):
                now_us = clock.now_us() + (off_us if number in (TEN // 2, TEN - 1) else 0)
                paid += isinstance(await soon(ledger, number, budget, now_us), Charge)
            outcome = await ledger.charge(bill(1, default_of(budget), id_="one more"), clock.now_us() + off_us)
            assert isinstance(outcome, Refusal)
    assert paid == TEN


@pytest.mark.parametrize("off_us", [LATE, EARLY], ids=["behind", "ahead"])
@pytest.mark.parametrize("kind", PLANS)
async def test_gateways_with_a_wrong_clock_share_the_window_of_the_others(kind: str, off_us: int) -> None:
    budget = PLANS[kind]()

    def wrong_us() -> int:
        return clock.now_us() + off_us

    paid: list[int] = []
    with own_redis() as server:
        for now_us in (clock.now_us, wrong_us, wrong_us, clock.now_us):
            async with opened(server.url, now_us) as ledger:
                outcomes = [await soon(ledger, 100 * len(paid) + each, budget, now_us()) for each in range(TEN - 1)]
            paid.append(sum(isinstance(outcome, Charge) for outcome in outcomes))
    assert paid == [TEN - 1, 1, 0, 0]


@pytest.mark.parametrize("off_us", [LATE, EARLY], ids=["behind", "ahead"])
@pytest.mark.parametrize("leased", [False, True], ids=["exact", "leased"])
@pytest.mark.parametrize("kind", PLANS)
async def test_a_wrong_clock_that_asks_first_opens_no_window_of_its_own(
    kind: str, off_us: int, *, leased: bool
) -> None:
    budget = PLANS[kind]()

    def wrong_us() -> int:
        return clock.now_us() + off_us

    paid: list[int] = []
    with own_redis() as server:
        async with opened(server.url, wrong_us, leased=leased) as wrong, opened(server.url) as right:
            for ledger, now_us in ((wrong, wrong_us), (right, clock.now_us)):
                outcomes = [await soon(ledger, 100 * len(paid) + each, budget, now_us()) for each in range(TEN)]
                paid.append(sum(isinstance(outcome, Charge) for outcome in outcomes))
    assert paid == [TEN, 0]


@pytest.mark.parametrize("off_us", [-6 * SECOND, EARLY], ids=["waited for long", "early"])
@pytest.mark.parametrize("leased", [False, True], ids=["exact", "leased"])
@pytest.mark.parametrize("spent", [TEN, TEN - 1], ids=["nothing left", "some left"])
async def test_what_is_debited_whether_it_can_be_paid_or_not_is_debited_as_of_now_if_its_instant_is_wrong(
    spent: int, off_us: int, *, leased: bool
) -> None:
    budget = default_of(plan(per(TEN, window_us())))
    with own_redis() as server:
        async with opened(server.url, leased=leased) as ledger:
            assert isinstance(await ledger.charge(bill(spent, budget, id_="most"), clock.now_us()), Charge)
            drained = await ledger.drain(bill(2, budget, id_="shadow"), clock.now_us() + off_us)
            assert (sum(drained.overrun.values()), ledger.failure) == (spent + 2 - TEN, None)
            assert (await ledger.standings(budget, clock.now_us()))[0].left == 0


@pytest.mark.parametrize("leased", [False, True], ids=["exact", "leased"])
@pytest.mark.parametrize("known", [True, False], ids=["known since", "not known yet"])
async def test_what_goes_back_was_told_before_our_clock_was_set_back(*, known: bool, leased: bool) -> None:
    budget = default_of(plan(per(TEN, 24 * window_us())))
    off = [2 * MINUTE]

    def now_us() -> int:
        return clock.now_us() + off[0]

    with own_redis() as server:
        async with opened(server.url, now_us, leased=leased) as ledger:
            paid = [await ledger.charge(bill(1, budget, id_=str(number)), now_us()) for number in range(3)]
            deadline_us = now_us() + HOUR
            holds = [
                await ledger.hold(bill(2, budget, id_=f"{n}h"), now_us(), deadline_us=deadline_us, owner="me")
                for n in "ab"
            ]
            told_us = now_us()
            off[0] = 0
            if known:
                assert await ledger.standings(budget, now_us())
            charges = [charge for charge in (*paid, *holds) if isinstance(charge, Charge)]
            assert len(charges) == 5
            for charge in charges[:3]:
                assert await ledger.refund(charge, charge.costs, told_us)
            assert await ledger.release(charges[3], told_us)
            assert (await ledger.settle(charges[4], {THROUGHPUT: 1}, told_us)).postings
            assert (await ledger.standings(budget, now_us()))[0].left == TEN - 1


async def test_what_was_not_asked_in_time_is_no_reason_to_take_redis_for_lost() -> None:
    with own_redis() as server:
        async with opened(server.url) as ledger:
            assert isinstance(await ledger.charge(bill(1, default_of(plan(per(TEN)))), clock.now_us() + EARLY), Charge)
            assert ledger.failure is None


def test_a_clock_that_was_set_is_known_from_the_next_answer_however_slow() -> None:
    skew = Skew()
    skew.heard(1_000, 1_010, 5_005)
    assert skew.of_server(2_000) == 6_000
    skew.heard(2_000, 3_000, 6_500)
    assert skew.of_server(2_000) == 6_000, "a slower answer that does not contradict says less"
    skew.heard(2_000, 3_000, 2_500 + 9 * SECOND)
    assert skew.of_server(2_000) == 2_000 + 9 * SECOND
