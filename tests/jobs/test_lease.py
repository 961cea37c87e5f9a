import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.core.problems import PreconditionFailed, StoreUnavailable
from gateway.jobs import lease
from gateway.jobs.lease import EXPIRES_S, LOOK_S, STOPS_S, Candidate, Held
from gateway.store.mandate import Actor, Mandate
from gateway.store.store import Act, Store
from tests.store.samples import pro

NOW = 1_700_000_000_000_000
BY = Mandate(Actor("gateway"), NOW)


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def hands() -> Hands:
    return Hands()


class Lame(Store):
    """A store that cannot be written while it is ``away``."""

    away = False

    @asynccontextmanager
    async def write(self, by: Mandate) -> AsyncIterator[Act]:
        if self.away:
            raise StoreUnavailable("away")
        async with super().write(by) as act:
            yield act


class Deaf(Lame):
    """One that does not even say that it is ``away``: its connections have died without a word."""

    @asynccontextmanager
    async def write(self, by: Mandate) -> AsyncIterator[Act]:
        if self.away:
            await asyncio.Event().wait()
        async with super().write(by) as act:
            yield act


def candidate(store: Store, holder: str, hands: Hands) -> Candidate:
    return Candidate(store, "sync", holder, lambda: NOW, monotonic_s=hands)


async def test_of_many_that_ask_at_once_one_gets_the_job(store: Store, hands: Hands) -> None:
    everybody = [candidate(store, f"g{n}", hands) for n in range(5)]
    assert sum(await asyncio.gather(*(each.step() for each in everybody))) == 1
    assert sum([await each.step() for each in everybody]) == 1


async def test_a_holder_that_renews_keeps_the_job_however_long(store: Store, hands: Hands) -> None:
    first, second = candidate(store, "a", hands), candidate(store, "b", hands)
    assert await first.step()
    for _ in range(20):
        hands.at_s += LOOK_S
        assert await first.step()
        assert not await second.step()


async def test_a_dead_holders_job_is_taken_over_within_thirty_seconds(store: Store, hands: Hands) -> None:
    first, second = candidate(store, "a", hands), candidate(store, "b", hands)
    assert await first.step()
    died_s = hands.at_s
    while not await second.step():
        hands.at_s += LOOK_S
    assert EXPIRES_S <= hands.at_s - died_s <= 30
    assert not await first.step(), "who comes back finds that it lost the job"


async def test_a_job_that_was_let_go_is_taken_at_once(store: Store, hands: Hands) -> None:
    first, second = candidate(store, "a", hands), candidate(store, "b", hands)
    await first.step()
    await first.let_go()
    assert await second.step()


async def test_what_an_earlier_holder_writes_is_not_committed(store: Store, hands: Hands) -> None:
    first, second = candidate(store, "a", hands), candidate(store, "b", hands)
    await first.step()
    stopped = first.held
    assert stopped is not None
    await second.step()
    hands.at_s += EXPIRES_S
    assert await second.step()
    assert second.held is not None
    async with store.write(BY) as act:
        await second.held.fence(act)
    with pytest.raises(PreconditionFailed, match="done by another gateway"):
        async with store.write(BY) as act:
            act.note("plan.create", "p", None, pro())
            await stopped.fence(act)


async def test_a_holder_that_cannot_renew_stops_before_anybody_takes_over(store: Store, hands: Hands) -> None:
    lame = Lame(store.place, store._engine)
    first = candidate(lame, "a", hands)
    await first.step()
    lame.away = True
    hands.at_s += LOOK_S
    assert await first.step(), "one lost renewal is no reason to stop"
    hands.at_s += STOPS_S - LOOK_S
    assert not await first.step()
    assert STOPS_S + LOOK_S < EXPIRES_S


async def test_a_holder_whose_renewal_is_never_answered_stops_in_time(
    store: Store, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEAST_S", 0.05)
    deaf = Deaf(store.place, store._engine)
    first = candidate(deaf, "a", hands)
    await first.step()
    held, deaf.away = first.held, True
    hands.at_s += STOPS_S
    async with asyncio.timeout(10):
        assert not await first.step()
    first.held = held
    monkeypatch.setattr(lease, "LETS_GO_S", 0.05)
    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable):
            await first.let_go()


async def test_a_job_that_fails_is_done_again_and_ends_with_its_gateway(
    store: Store, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOOK_S", 0.01)
    starts: list[int] = []
    second = asyncio.Event()

    async def job(held: Held) -> None:
        starts.append(held.row.token)
        if len(starts) == 1:
            raise ValueError("the first time")
        second.set()
        await asyncio.Event().wait()

    runs = asyncio.get_running_loop().create_task(lease.run(candidate(store, "a", hands), job))
    async with asyncio.timeout(20):
        await second.wait()
    runs.cancel()
    await asyncio.gather(runs, return_exceptions=True)
    assert starts == [1, 2]
    assert await candidate(store, "b", hands).step(), "it was let go"


async def test_a_job_that_ends_while_the_store_is_away_is_competed_for_again(
    store: Store, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOOK_S", 0.01)
    lame = Lame(store.place, store._engine)
    starts: list[int] = []
    again = asyncio.Event()

    async def job(held: Held) -> None:
        starts.append(held.row.token)
        lame.away = len(starts) == 1
        if lame.away:
            asyncio.get_running_loop().call_later(0.1, setattr, lame, "away", False)
            raise PreconditionFailed("it ends by itself")
        again.set()
        await asyncio.Event().wait()

    runs = asyncio.get_running_loop().create_task(lease.run(candidate(lame, "a", hands), job))
    async with asyncio.timeout(20):
        while not again.is_set():
            assert not runs.done(), runs.exception()
            hands.at_s += 1
            await asyncio.sleep(0.01)
    runs.cancel()
    await asyncio.gather(runs, return_exceptions=True)
    assert len(starts) >= 2
