"""Several gateways that hold slices of one budget: never a unit too many, and what is not spent comes back."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace

import pytest

from gateway.clock import now_us
from gateway.core.allowance import Allowance, Plan
from gateway.core.bucket import Refill
from gateway.core.cascade import Bill, Charge, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.core.till import till_of
from gateway.ledger.bounds import SHARE, held_sentence
from gateway.ledger.redis.leased import LeasedLedger
from gateway.ledger.redis.ledger import RedisLedger
from gateway.ledger.redis.open import open_redis
from gateway.ledger.redis.slices import GUARD_US, LEAST
from tests.core.budgets import DAY, HOUR, NOW, USER, WORKSPACE, allowance_of, bill, default_of, per, plan, subscription
from tests.ledger.redis.test_away import until_away
from tests.ledger.redis.world import Journal, ledger_at, paid
from tests.redis_server.relay import Relay
from tests.redis_server.server import RedisServer

BUDGET = 1_000
USERS = default_of(plan(per(BUDGET, 10_000 * DAY)))
TEAMS = default_of(plan(per(300, 10_000 * DAY)), WORKSPACE)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not look like a gateway that does not answer."""
    monkeypatch.setattr("gateway.ledger.redis.leased.WARM_US", 60_000_000)
    monkeypatch.setattr("gateway.ledger.redis.in_hand.IDLE_US", 1_000_000)
    monkeypatch.setattr("gateway.ledger.redis.searching._PAUSES_S", (0.003, 0.006, 0.012, 0.025, 0.05, 0.1, 0.3, 1.0))


@asynccontextmanager
async def leasing(url: str, count: int) -> AsyncIterator[list[LeasedLedger]]:
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(count):
            ledger = await open_redis(url, prefix="t", gather_s=0, timeout_s=5.0, leased=True)
            assert isinstance(ledger, LeasedLedger)
            stack.push_async_callback(ledger.close)
            opened.append(ledger)
        async with asyncio.timeout(20):
            while not all(ledger._recall.hears for ledger in opened):
                await asyncio.sleep(0.005)
        yield opened


async def charge(ledger: RedisLedger, asked: Bill) -> Charge | Refusal:
    now = now_us()
    return ledger.charge_now(asked, now) or await ledger.charge(asked, now)


async def warm_up(ledger: LeasedLedger, allowance: Allowance = USERS) -> None:
    """Two units: with the second comes a slice."""
    for number in range(2):
        assert isinstance(await charge(ledger, bill(1, allowance, id_=f"warm{number}")), Charge)


def acts_of(ledger: RedisLedger) -> int:
    """How many acts were sent, other than plain debits."""
    return ledger._deeds._line._batches.acts


def asked_back(server: RedisServer) -> int:
    """How often anybody has asked for what others hold."""
    found = server.client().info("commandstats")
    return int(found.get("cmdstat_publish", {"calls": 0})["calls"])


async def exactly_left(url: str) -> int:
    """What is left when nobody holds anything."""
    ledger = await open_redis(url, prefix="t", gather_s=0, timeout_s=5.0)
    try:
        return (await ledger.standings(USERS, now_us()))[0].left
    finally:
        await ledger.close()


async def test_most_charges_are_made_in_memory_and_never_one_too_many(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 3) as ledgers:
        at_once = paid = 0
        for number in range(3 * BUDGET):
            ledger, asked = ledgers[number % 3], bill(1, USERS, id_=str(number))
            if (outcome := ledger.charge_now(asked, now_us())) is not None:
                at_once += isinstance(outcome, Charge)
            else:
                outcome = await ledger.charge(asked, now_us())
            paid += isinstance(outcome, Charge)
        assert paid == BUDGET, "all living gateways gave back what they held"
        assert at_once > BUDGET // 2
    assert await exactly_left(mortal.url) == 0


async def test_concurrent_charges_of_many_gateways_admit_what_there_is(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 3) as ledgers:

        async def one(number: int) -> bool:
            await asyncio.sleep(number % 60 / 1000)
            return isinstance(await charge(ledgers[number % 3], bill(1, USERS, id_=str(number))), Charge)

        admitted = sum(await asyncio.gather(*(one(number) for number in range(3 * BUDGET))))
        assert admitted == BUDGET
        assert sum(map(acts_of, ledgers)) < 3 * BUDGET, "all who wait are answered by what one of them hears"


async def test_what_a_dead_gateway_held_is_lost_and_it_is_no_more_than_was_said(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 2) as (dead, alive):
        spent = 0
        while spent < 200:
            spent += isinstance(await charge(dead, bill(1, USERS, id_=f"d{spent}")), Charge)
        held = dead._slices[USER].rest
        await dead._recall.close()  # it does not hear any more, and does nothing by itself
        await dead._tasks.close()
        admitted = 0
        while isinstance(await charge(alive, bill(1, USERS, id_=f"a{admitted}")), Charge):
            admitted += 1
        assert admitted == BUDGET - 200 - held
        printed = re.search(r"takes at most (\d+) of 1000 units", held_sentence("free", BUDGET))
        assert printed
        assert held <= int(printed[1])


async def test_a_scope_pays_whole_before_the_next_is_asked(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 2) as (one, two):
        for number in range(40):
            assert isinstance(await charge(one, bill(1, TEAMS, USERS, id_=f"one{number}")), Charge)
        assert one._slices[WORKSPACE].rest
        payers = []
        for number in range(280):
            outcome = await charge(two, bill(1, TEAMS, USERS, id_=f"two{number}"))
            assert isinstance(outcome, Charge)
            payers.append(outcome.scope)
        assert (payers.count(WORKSPACE), payers.count(USER)) == (260, 20)


async def test_whoever_comes_seldom_is_debited_exactly(mortal: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ledger.redis.leased.WARM_US", -60_000_000)
    async with leasing(mortal.url, 1) as (ledger,):
        for number in range(20):
            assert isinstance(await charge(ledger, bill(1, USERS, id_=str(number))), Charge)
        assert (len(ledger), ledger._quick.debits) == (0, 20)


async def test_slices_come_with_debits_that_go_together_and_every_unit_is_somewhere(mortal: RedisServer) -> None:
    """A hot scope, many at once: what was paid, what is held and what is left are the budget."""
    async with leasing(mortal.url, 2) as ledgers:
        loop, paid = asyncio.get_running_loop(), 0
        for round_ in range(12):
            futures: list[asyncio.Future[object]] = []
            for number in range(40):
                ledger, asked = ledgers[number % 2], bill(1, USERS, id_=f"{round_}-{number}")
                outcome = ledger.charge_now(asked, now_us())
                if outcome is not None:
                    paid += isinstance(outcome, Charge)
                    continue
                future: asyncio.Future[object] = loop.create_future()
                ledger.charge_soon(asked, now_us(), future.set_result)
                futures.append(future)
            paid += sum(isinstance(outcome, Charge) for outcome in await asyncio.gather(*futures))
        assert paid == 480
        held = sum(ledger._slices[USER].rest for ledger in ledgers if USER in ledger._slices)
        assert held
        assert await exactly_left(mortal.url) == BUDGET - paid - held
    assert await exactly_left(mortal.url) == BUDGET - paid


async def test_a_slice_in_hand_pays_at_the_till_and_tells_what_is_left(mortal: RedisServer) -> None:
    till = till_of(USERS, {"throughput": 1})
    assert till is not None
    async with leasing(mortal.url, 1) as (ledger,):
        assert ledger.take([till], 1, now_us()) is None, "nothing is in hand"
        await warm_up(ledger)
        for number in range(LEAST):
            taken = ledger.take([till], 1, now_us())
            assert taken is not None
            assert (taken[0], BUDGET - taken[1].spent) == (0, BUDGET - 3 - number)
        assert ledger.take([till], 1, now_us()) is None
    assert await exactly_left(mortal.url) == BUDGET - 2 - LEAST


async def test_what_is_in_hand_when_redis_loses_its_memory_is_neither_lost_nor_there_twice(mortal: RedisServer) -> None:
    kept = Journal()
    async with ledger_at(mortal.url, kept=kept, leased=True) as ledger:
        assert isinstance(ledger, LeasedLedger)
        async with asyncio.timeout(60):
            while not ledger._recall.hears:
                await asyncio.sleep(0.005)
            for number in range(40):
                outcome = await charge(ledger, bill(1, USERS, id_=str(number)))
                assert isinstance(outcome, Charge)
                kept.record(outcome)
            assert ledger._slices[USER].rest
            mortal.client().flushall()
            while not ledger._presence.losses or ledger.failure is not None:
                await asyncio.sleep(0.01)
        assert len(ledger) == 0
        assert [standing.left for standing in await ledger.standings(USERS, now_us())] == [BUDGET - 40]
    assert await exactly_left(mortal.url) == BUDGET - 40


async def test_slices_shrink_as_the_rest_does(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 1) as (ledger,):
        for number in range(BUDGET):
            outcome = await charge(ledger, bill(1, USERS, id_=str(number)))
            assert isinstance(outcome, Charge)
            held = ledger._slices[USER].rest if USER in ledger._slices else 0
            assert held <= max((BUDGET - number) // SHARE, 0)
            assert outcome.standings[0].left == BUDGET - number - 1, "headers count what is held"


async def test_a_slice_that_nobody_uses_goes_back(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 1) as (ledger,):
        await warm_up(ledger)
        assert ledger._slices[USER].rest == LEAST
        async with asyncio.timeout(20):
            while len(ledger):
                await asyncio.sleep(0.02)
        assert await exactly_left(mortal.url) == BUDGET - 2


async def test_a_gateway_that_stops_gives_back_what_it_holds(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 1) as (ledger,):
        await warm_up(ledger)
        assert len(ledger) == 1
    assert await exactly_left(mortal.url) == BUDGET - 2


async def test_a_slice_dies_with_its_window_and_pays_nothing_in_the_next(mortal: RedisServer) -> None:
    hourly = default_of(plan(per(BUDGET)))
    async with leasing(mortal.url, 1) as (ledger,):
        await warm_up(ledger, hourly)
        now = now_us()
        end = now - now % HOUR + HOUR
        assert isinstance(ledger.charge_now(bill(1, hourly), end - GUARD_US - 60_000_000), Charge)
        assert ledger.charge_now(bill(1, hourly), end - GUARD_US + 5_000_000) is None


async def test_what_has_no_generation_is_never_cut(mortal: RedisServer) -> None:
    flowing = default_of(plan(per(BUDGET, HOUR, Refill.CONTINUOUS)))
    two_limits = default_of(plan(per(BUDGET), per(BUDGET * 10, DAY)))
    async with leasing(mortal.url, 1) as (ledger,):
        await charge(ledger, bill(1, flowing))
        await charge(ledger, bill(1, two_limits))
        assert len(ledger) == 0


SUBSCRIBED = plan(per(BUDGET, 10_000 * DAY), slug="team")
PACK = plan(per(10, refill=Refill.NEVER), slug="pack", pack=True)


@pytest.mark.parametrize("bought", [PACK, plan(per(10, HOUR), slug="more")], ids=["a pack", "another plan"])
async def test_whoever_buys_more_can_spend_at_once_what_is_held_of_what_he_had(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch, bought: Plan
) -> None:
    monkeypatch.setattr("gateway.ledger.redis.in_hand.IDLE_US", 600_000_000)
    before = allowance_of(subscription("base", SUBSCRIBED))
    after = allowance_of(subscription("base", SUBSCRIBED), subscription("extra", bought))
    async with leasing(mortal.url, 2) as (one, two):
        await warm_up(one, before)
        await warm_up(two, before)
        assert one._slices[USER].rest == two._slices[USER].rest == LEAST
        left = BUDGET - 4 + 10
        assert isinstance(await one.charge(bill(left + 1, after, id_="too much"), now_us()), Refusal)
        assert isinstance(await one.charge(bill(left, after, id_="all"), now_us()), Charge)


async def test_a_new_plan_of_which_nothing_can_be_cut_finds_what_was_held_of_the_old_one(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was spent of the old plan still counts, so what comes back of it counts too."""
    monkeypatch.setattr("gateway.ledger.redis.in_hand.IDLE_US", 600_000_000)
    now = now_us()
    old = allowance_of(subscription("base", SUBSCRIBED))
    both = plan(per(BUDGET, 10_000 * DAY), per(BUDGET * 2, 20_000 * DAY), slug="team")
    new = allowance_of(subscription("base", both))
    async with leasing(mortal.url, 2) as (one, two):
        await warm_up(one, old)
        await warm_up(two, old)
        assert isinstance(await one.charge(bill(BUDGET - 4, new, id_="all"), now), Charge)


async def test_a_hold_takes_also_what_is_held_of_its_budget(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ledger.redis.in_hand.IDLE_US", 600_000_000)
    async with leasing(mortal.url, 2) as (one, two):
        await warm_up(one)
        await warm_up(two)
        asked, now = bill(BUDGET - 4, USERS, id_="hold"), now_us()
        held = await one.hold(asked, now, deadline_us=now + HOUR, owner="me")
        assert isinstance(held, Charge)
        assert isinstance(await two.charge(bill(1, USERS), now_us()), Refusal)


FREE = default_of(SUBSCRIBED)
PAYING = allowance_of(subscription("base", SUBSCRIBED))
WITH_PACK = allowance_of(subscription("base", SUBSCRIBED), subscription("extra", PACK))


@pytest.mark.parametrize("has", [FREE, PAYING, WITH_PACK], ids=["nothing bought", "a subscription", "a pack"])
async def test_many_who_are_refused_ask_a_dead_gateway_once_and_are_refused_at_once_while_the_others_hold_nothing(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch, has: Allowance
) -> None:
    monkeypatch.setattr("gateway.ledger.redis.in_hand.IDLE_US", 600_000_000)
    monkeypatch.setattr("gateway.ledger.redis.searching._PAUSES_S", (0.05, 0.05))
    monkeypatch.setattr("gateway.ledger.redis.searching.EMPTY_US", 600_000_000)
    async with leasing(mortal.url, 2) as (dead, alive):
        await warm_up(dead, FREE if has is FREE else PAYING)
        await dead._recall.close()
        dead._slices.clear()
        left = BUDGET - 2 - LEAST + (10 if has is WITH_PACK else 0)
        assert isinstance(await charge(alive, bill(left, has, id_="all")), Charge)
        assert asked_back(mortal) == 0

        async def is_refused(number: int) -> bool:
            return isinstance(await charge(alive, bill(1, has, id_=str(number))), Refusal)

        assert all(await asyncio.gather(*(is_refused(number) for number in range(500))))
        assert asked_back(mortal) == 2, "as often as it is asked for one"
        assert acts_of(alive) < 3 * 500
        assert await is_refused(501)
        assert asked_back(mortal) == 2
        alive._vain_s.clear()
        alive._empty.clear()
        assert await is_refused(502)
        assert asked_back(mortal) == 4, "a second later it is looked again"


async def test_whoever_waits_for_what_others_look_for_is_paid_with_what_comes_back(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 2) as (one, two):
        await warm_up(two, USERS)
        held = two._slices[USER].rest
        assert isinstance(await charge(one, bill(BUDGET - 2 - held, USERS, id_="all")), Charge)
        outcomes = await asyncio.gather(*(charge(one, bill(1, USERS, id_=str(number))) for number in range(100)))
        assert sum(isinstance(outcome, Charge) for outcome in outcomes) == held


def marks(server: RedisServer) -> list[str]:
    (key,) = list(server.client().scan_iter("t:*user:u1"))
    return [str(field) for field in server.client().hkeys(key) if "!s:" in str(field)]


@pytest.mark.parametrize("leased", [True, False], ids=["leased", "exact"])
async def test_what_dead_gateways_held_of_windows_that_are_over_is_asked_for_by_nobody_and_forgotten(
    mortal: RedisServer, *, leased: bool
) -> None:
    hourly = default_of(plan(per(BUDGET)))
    for crash in range(3):
        async with ledger_at(mortal.url, leased=True) as dead:
            assert isinstance(dead, LeasedLedger)
            await until_hearing(dead, hears=True)
            for number in range(2):
                await paid(dead, 1, hourly, id_=f"{crash} {number}")
            dead._slices.clear()
    assert len(of_dead := marks(mortal)) == 3
    async with ledger_at(mortal.url, leased=leased) as alive:
        if isinstance(alive, LeasedLedger):
            await until_hearing(alive, hears=True)
            assert isinstance(await alive.charge(bill(BUDGET + 1, hourly), NOW + HOUR), Refusal)
        await paid(alive, 1, hourly, id_="first", now_us=NOW + HOUR)
        assert not {*of_dead} & {*marks(mortal)}
        assert len(marks(mortal)) == leased, "but whoever lives has a slice of the window that holds"
        first = acts_of(alive)
        assert first == (not leased), "a mode without slices has the marks taken away by an act"
        await paid(alive, 1, hourly, id_="second", now_us=NOW + HOUR)
        assert (acts_of(alive), asked_back(mortal)) == (first, 0), "a plain debit, or from the slice; nobody was asked"


async def test_without_redis_what_is_held_is_spent_and_then_nothing(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 1) as (ledger,):
        await warm_up(ledger)
        mortal.stop()
        admitted = 0
        while isinstance(ledger.charge_now(bill(1, USERS), now_us()), Charge):
            admitted += 1
        assert admitted == LEAST


async def test_what_is_held_is_not_lost_by_an_outage_in_which_it_could_not_be_given_back(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ledger.redis.in_hand.IDLE_US", 600_000_000)
    async with leasing(mortal.url, 1) as (ledger,):
        await warm_up(ledger)
        held = ledger._slices[USER].rest
        mortal.stop()
        async with asyncio.timeout(30):
            while ledger.failure is None:
                await asyncio.sleep(0.01)
        await ledger._return(USER)
        with pytest.raises(StoreUnavailable):
            await ledger.charge(bill(held + 1, USERS, id_="more than is held"), now_us())
        assert ledger._slices[USER].rest == held
        ledger._let_go(lambda _scope: True)
        assert len(ledger) == 0, "a Redis that lost its memory does not know of it"


async def test_a_refusal_is_remembered_by_its_amount_and_not_for_long(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 1) as (ledger,):
        assert isinstance(await charge(ledger, bill(BUDGET - 5, USERS)), Charge)
        assert isinstance(await charge(ledger, bill(6, USERS)), Refusal)
        now = now_us()
        assert isinstance(ledger.charge_now(bill(6, USERS), now), Refusal)
        assert ledger.charge_now(bill(5, USERS), now) is None, "so much may be there"
        assert ledger.charge_now(bill(6, USERS), now + 1_500_000) is None
        changed = default_of(plan(per(BUDGET, 10_000 * DAY)))
        assert ledger.charge_now(bill(6, changed), now) is None, "another catalog, another answer"


async def until_settled(ledger: LeasedLedger) -> None:
    async with asyncio.timeout(30):
        while ledger.failure is not None or ledger.in_doubt:
            ledger.tend(now_us(), now_us())
            await asyncio.sleep(0.01)


@contextmanager
def losing(relay: Relay, *, arrives: bool) -> Iterator[None]:
    """No answer of Redis comes back. ``arrives``: what it is asked gets there."""
    relay.deaf, relay.dumb = True, not arrives
    yield
    relay.deaf = relay.dumb = False


async def test_what_nobody_wants_is_given_back_with_the_slice_that_came_with_it(mortal: RedisServer) -> None:
    relay = Relay(mortal.port)
    async with leasing(await relay.start(), 1) as (ledger,):
        await charge(ledger, bill(1, USERS))
        with losing(relay, arrives=True):
            asked = bill(40, USERS, id_="x")
            with pytest.raises(StoreUnavailable):
                await ledger.charge(asked, now_us())
            assert await exactly_left(mortal.url) == BUDGET - 41 - LEAST, "it was made, and a slice was cut"
            ledger.call_off(asked)
        await until_settled(ledger)
        async with asyncio.timeout(30):
            while await exactly_left(mortal.url) != BUDGET - 1:
                await asyncio.sleep(0.01)
        assert len(ledger) == 0
    await relay.stop()


@pytest.mark.parametrize("arrives", [True, False])
async def test_what_was_in_hand_is_not_lost_when_it_is_in_doubt_whether_it_went_back(
    mortal: RedisServer, *, arrives: bool
) -> None:
    relay = Relay(mortal.port)
    async with leasing(await relay.start(), 1) as (ledger,):
        await warm_up(ledger)
        with losing(relay, arrives=arrives):
            asked = bill(LEAST + 1, USERS, id_="more than is in hand")
            with pytest.raises(StoreUnavailable):
                await ledger.charge(asked, now_us())
            assert len(ledger) == 0
            ledger.call_off(asked)
        await until_settled(ledger)
    assert await exactly_left(mortal.url) == BUDGET - 2, (
        "it was given back, before or when it was known that it was not"
    )
    await relay.stop()


async def test_a_second_slice_of_a_scope_goes_back_when_it_can(mortal: RedisServer) -> None:
    async with leasing(mortal.url, 1) as (ledger,):
        await warm_up(ledger)
        second = replace(ledger._slices.pop(USER))
        await charge(ledger, bill(1, USERS))
        await warm_up(ledger)
        assert ledger._slices[USER].rest
        mortal.client().config_set("maxmemory", "1")
        await until_away(ledger)
        ledger._put_back(USER, second, ledger._fillings)
        await asyncio.sleep(0.5)  # it is tried, in vain
        assert [*ledger._found_slices] == [(USER, second)]
        mortal.client().config_set("maxmemory", "0")
        async with asyncio.timeout(30):
            while ledger._found_slices or ledger.failure is not None:
                await asyncio.sleep(0.01)
    assert await exactly_left(mortal.url) == BUDGET - 5, "all that was in hand went back"


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_slice_of_which_nobody_knows_whether_it_went_back_is_not_lost(
    mortal: RedisServer, *, arrives: bool
) -> None:
    relay = Relay(mortal.port)
    async with leasing(await relay.start(), 1) as (ledger,):
        await warm_up(ledger)
        with losing(relay, arrives=arrives):
            await ledger._return(USER)
        await until_settled(ledger)
    assert await exactly_left(mortal.url) == BUDGET - 2
    await relay.stop()


async def test_of_a_pack_nobody_holds_anything_that_could_die_with_him(mortal: RedisServer) -> None:
    pack = default_of(plan(per(100), pack=True))
    async with leasing(mortal.url, 1) as (ledger,):
        for budget in (USERS, pack):
            for number in range(20):
                asked = bill(1, budget, id_=f"{budget is pack} {number}")
                assert isinstance(await ledger.charge(asked, now_us()), Charge)
            held = ledger._slices.pop(budget.scope, None)
            assert (held is None) == (budget is pack)


async def test_whoever_is_told_nothing_any_more_notices_and_holds_nothing(
    mortal: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that died without a word: nobody could ask for what is held here."""
    monkeypatch.setattr("gateway.ledger.redis.servers.SILENCE_S", 0.1)
    relay = Relay(mortal.port)
    async with leasing(await relay.start(), 1) as (ledger,):
        await asyncio.sleep(1)
        assert ledger._recall.hears, "silence alone is no death"
        relay.open.clear()
        await until_hearing(ledger, hears=False)
        relay.open.set()
        await until_hearing(ledger, hears=True)
    await relay.stop()


async def until_hearing(ledger: LeasedLedger, *, hears: bool) -> None:
    async with asyncio.timeout(20):
        while ledger._recall.hears is not hears:
            await asyncio.sleep(0.01)
