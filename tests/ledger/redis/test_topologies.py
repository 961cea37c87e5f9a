"""One ledger, whatever the Redis behind it looks like."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.clock import now_us
from gateway.core.cascade import Charge
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.ledger.redis.doctor import examine
from gateway.ledger.redis.leased import LeasedLedger
from gateway.ledger.redis.ledger import RedisLedger
from gateway.ledger.redis.open import open_redis
from tests.core.budgets import DAY, NOW, bill, default_of, per, plan
from tests.ledger.redis.test_away import until_away, until_back
from tests.ledger.redis.world import USERS, Journal, ledger_at, left, paid
from tests.redis_server.server import RedisServer
from tests.redis_server.topologies import Watched, cluster, watched
from tests.transport.certificates import Authority

MANY = [default_of(plan(per(10)), Scope("user", f"u{number}")) for number in range(60)]


@pytest.fixture
def nodes() -> Iterator[list[RedisServer]]:
    with cluster() as running:
        yield running


@pytest.fixture
def pair() -> Iterator[Watched]:
    with watched() as running:
        yield running


async def test_a_cluster_charges_scopes_wherever_they_are(nodes: list[RedisServer]) -> None:
    async with ledger_at(f"redis+cluster://127.0.0.1:{nodes[0].port}") as ledger:
        asked = [bill(1, each, id_=f"{each.scope.id}-{n}") for each in MANY for n in range(15)]
        outcomes = await asyncio.gather(*(ledger.charge(each, NOW) for each in asked))
        assert sum(isinstance(outcome, Charge) for outcome in outcomes) == 10 * len(MANY)
        assert [await left(ledger, each) for each in MANY] == [[0]] * len(MANY)
    for node in nodes:
        names = [key if isinstance(key, bytes) else key.encode() for key in node.client().keys("t:*")]
        assert any(b":user:u" in name for name in names), "scopes lie on every node"


async def test_a_node_that_forgot_is_filled_before_it_admits_anything(nodes: list[RedisServer]) -> None:
    kept = Journal()
    async with ledger_at(f"redis+cluster://127.0.0.1:{nodes[0].port}", kept=kept) as ledger:
        for number, each in enumerate(MANY):
            kept.record(await paid(ledger, 4, each, id_=str(number)))
        nodes[1].client().flushall()
        await until_away(ledger)
        await until_back(ledger)
        assert [await left(ledger, each) for each in MANY] == [[6]] * len(MANY)


async def test_a_node_that_takes_no_writes_keeps_only_its_own_scopes_from_being_charged(
    nodes: list[RedisServer],
) -> None:
    async with ledger_at(f"redis+cluster://127.0.0.1:{nodes[0].port}") as ledger:
        for number, each in enumerate(MANY):
            await paid(ledger, 1, each, id_=str(number))
        full = nodes[1].client()
        there = {str(key).rpartition(":")[2].rstrip("'") for key in full.keys("t:*:user:*")}
        of_full = [each for each in MANY if each.scope.id in there]
        others = [each for each in MANY if each.scope.id not in there]
        assert of_full
        assert others
        full.config_set("maxmemory", "1")
        for number in range(3):
            for each in of_full:
                with pytest.raises(StoreUnavailable):
                    await ledger.charge(bill(1, each, id_=f"{number} full"), NOW)
            for each in others:
                await paid(ledger, 1, each, id_=f"{number} {each.scope.id}")
        assert (ledger.failure, ledger._presence.losses) == (None, 0)
        full.config_set("maxmemory", "0")
        for each in of_full:
            await paid(ledger, 1, each, id_=f"again {each.scope.id}")
        assert [await left(ledger, each) for each in MANY] == [[8] if each in of_full else [6] for each in MANY]


async def test_slices_on_a_cluster_come_back_before_anybody_is_refused(
    nodes: list[RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.ledger.redis.leased.WARM_US", 60_000_000)
    monkeypatch.setattr("gateway.ledger.redis.searching._PAUSES_S", (0.003, 0.01, 0.03, 0.1, 0.3, 1.0))
    async with AsyncExitStack() as stack:
        ledgers = []
        for node in nodes[:2]:
            url = f"redis+cluster://127.0.0.1:{node.port}"
            ledger = await open_redis(url, prefix="t", gather_s=0, timeout_s=5.0, leased=True)
            stack.push_async_callback(ledger.close)
            assert isinstance(ledger, LeasedLedger)
            ledgers.append(ledger)
        async with asyncio.timeout(30):
            while not all(ledger._recall.hears for ledger in ledgers):
                await asyncio.sleep(0.01)
        budgets = [default_of(plan(per(400, 10_000 * DAY)), Scope("user", f"u{number}")) for number in range(4)]
        at_once = 0
        paid = dict.fromkeys((budget.scope.id for budget in budgets), 0)
        for number in range(450):
            for budget in budgets:
                ledger, asked = ledgers[number % 2], bill(1, budget, id_=f"{budget.scope.id}-{number}")
                outcome = ledger.charge_now(asked, now_us())
                at_once += isinstance(outcome, Charge)
                outcome = outcome or await ledger.charge(asked, now_us())
                paid[budget.scope.id] += isinstance(outcome, Charge)
        assert paid == dict.fromkeys(paid, 400)
        assert at_once > 400


async def test_a_fail_over_in_the_middle_of_calls_charges_nobody_twice(pair: Watched) -> None:
    async with ledger_at(pair.url, timeout_s=2.0) as ledger:
        await paid(ledger, 1)
        pair.primary.client().wait(1, 5000)
        paid_in_all, number = 1, 0
        killer = asyncio.get_running_loop().call_later(0.2, pair.primary.stop)
        refused = 0
        async with asyncio.timeout(60):
            while paid_in_all < 40:
                number += 1
                try:
                    await paid(ledger, 1, id_=str(number))
                    paid_in_all += 1
                except StoreUnavailable:
                    refused += 1
                await asyncio.sleep(0.02)
        killer.cancel()
        assert refused, "there was a time without a primary"
        (now_left,) = await left(ledger)
        lost = now_left - (100 - paid_in_all)
        assert lost <= 10, "what was not replicated yet, and not more"
        assert now_left >= 100 - paid_in_all - ledger.in_doubt


async def test_a_primary_that_sentinels_name_no_more_is_left_though_it_still_answers(pair: Watched) -> None:
    """A partition: the gateway reaches the old primary, the Sentinel and the replica do not."""
    budget = default_of(plan(per(40, 10_000 * DAY)), Scope("user", "torn"))

    async def admitted(ledger: RedisLedger, name: str) -> int:
        outcomes = [await ledger.charge(bill(1, budget, id_=f"{name}{number}"), NOW) for number in range(60)]
        return sum(isinstance(outcome, Charge) for outcome in outcomes)

    async with ledger_at(pair.url, timeout_s=2.0) as torn:
        assert isinstance(await torn.charge(bill(1, budget, id_="first"), NOW), Charge)
        pair.primary.client().wait(1, 5000)
        pair.cut_off()
        async with asyncio.timeout(60):
            while torn._presence.losses == 0 or not torn._presence.here:
                await asyncio.sleep(0.02)
        # The promoted one lets go of its clients once more.
        await until_back(torn)
        async with ledger_at(pair.url, timeout_s=2.0) as other:
            assert [await admitted(torn, "torn"), await admitted(other, "other")] == [39, 0]


async def test_the_doctor_looks_at_every_node_of_a_cluster(nodes: list[RedisServer]) -> None:
    for node in nodes:
        node.client().config_set("appendonly", "yes")
    nodes[2].client().config_set("maxmemory-policy", "allkeys-lru")
    found = await examine(f"redis+cluster://127.0.0.1:{nodes[0].port}")
    assert len([each for each in found if each.what.endswith("answers")]) == len(nodes)
    assert [each.what for each in found if each.verdict == "bad"] == [
        f"127.0.0.1:{nodes[2].port}: maxmemory-policy allkeys-lru"
    ]


async def test_the_doctor_looks_at_the_primary_that_sentinels_name_and_at_its_replicas(pair: Watched) -> None:
    found = await examine(pair.url)
    primary, replica = (f"127.0.0.1:{server.port}" for server in (pair.primary, pair.replica))
    assert [each.what for each in found if each.verdict == "bad"] == [
        f"{primary}: appendonly no",
        f"{replica}: appendonly no",
    ]
    assert f"{primary}: min-replicas-to-write 0" in [each.what for each in found if each.verdict == "risk"]
    for server in (pair.primary, pair.replica):
        server.client().config_set("appendonly", "yes")
        server.client().config_set("appendfsync", "always")
    pair.primary.client().config_set("min-replicas-to-write", "1")
    assert {each.verdict for each in await examine(pair.url)} == {"good"}


async def test_tls_and_unix_sockets(mortal: RedisServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    pair = authority.issue("redis", "localhost")
    shown.load_cert_chain(pair.cert, pair.key)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far, far_out = await asyncio.open_connection("127.0.0.1", mortal.port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, far_out), pump(far, writer), return_exceptions=True)

    server = await asyncio.start_server(relay, "localhost", 0, ssl=shown)
    port = server.sockets[0].getsockname()[1]
    async with ledger_at(f"rediss://localhost:{port}?ca={authority.ca}") as ledger:
        await paid(ledger, 1)
    async with ledger_at(f"rediss://localhost:{port}") as stranger:
        assert stranger.failure is not None, "a certificate that nobody vouches for is not believed"
    async with ledger_at(f"unix://{mortal.home}/redis.sock") as ledger:
        assert await left(ledger, USERS) == [99]
    server.close()
