"""What the fake Stripe can do wrong, each seen where it hurts: at the endpoint of its webhooks, and at our requests."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web

from gateway.core.sale import OrderState
from gateway.demo.stripe.delivery import Delivery, Trouble
from gateway.demo.stripe.server import Fault
from gateway.payments.port import ProviderError
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.provider import Config, StripeProvider
from tests.payments.stripe.world import ALICE, SECRET, Notes, Sale, item, sale, wish

DAY = 86_400


@asynccontextmanager
async def endpoint(here: Sale) -> AsyncIterator[tuple[Delivery, list[str]]]:
    """Where webhooks go, and the ids of the events that came, in their order."""
    came: list[str] = []

    async def take(request: web.Request) -> web.Response:
        came.append(orjson.loads(await request.read())["id"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield here.fake.subscribe(f"http://127.0.0.1:{runner.addresses[0][1]}/", SECRET), came
    finally:
        await runner.cleanup()


async def made(here: Sale, count: int = 40) -> list[str]:
    """Customers, each of whom is told of; the ids of the events."""
    before = len(here.fake.books.events)
    for number in range(count):
        await here.provider.ensure_customer(None, ALICE, "alice", f"c{number}")
    return [event["id"] for event in here.fake.books.events[before:]]


Seen = Callable[[list[str], list[str], list[str]], bool]
TROUBLES: dict[str, tuple[Trouble, Seen]] = {
    "none": (Trouble(), lambda sent, first, second: first == sent and not second),
    "drop": (Trouble(drop=0.5), lambda sent, first, second: 0 < len(first) < len(sent) and not second),
    "delay": (
        Trouble(delay=0.5),
        lambda sent, first, second: 0 < len(first) < len(sent) and sorted(first + second) == sent,
    ),
    "duplicate": (
        Trouble(duplicate=0.5),
        lambda sent, first, _: set(first) == set(sent) and max(Counter(first).values()) == 2,
    ),
    "reorder": (Trouble(shuffle=True), lambda sent, first, _: first != sent and sorted(first) == sent),
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_webhooks_go_wrong_in_every_way(name: str) -> None:
    trouble, seen = TROUBLES[name]
    async with sale() as here, endpoint(here) as (delivery, came):
        sent, delivery.trouble = await made(here), trouble
        await here.fake.deliver()
        first = list(came)
        delivery.trouble = Trouble()
        await here.fake.deliver()
        assert seen(sent, first, came[len(first) :])


async def test_webhooks_that_are_sent_by_themselves_meet_the_same_trouble() -> None:
    async with sale(automatic=True) as here, endpoint(here) as (delivery, came):
        delivery.trouble = Trouble(drop=1.0)
        await made(here, 3)
        while delivery.waiting:
            await asyncio.sleep(0)
        delivery.trouble = Trouble()
        sent = await made(here, 3)
        async with asyncio.timeout(10):
            while len(came) < len(sent):
                await asyncio.sleep(0.01)
        assert came == sent, "and what was lost before does not come any more"


@pytest.mark.parametrize("done", [False, True], ids=["undone", "done"])
@pytest.mark.parametrize(
    "fault",
    [Fault("checkout", 429), Fault("checkout", 500), Fault("checkout", 503), Fault("checkout", 0)],
    ids=["too many", "failure", "overloaded", "connection lost"],
)
async def test_a_request_that_goes_wrong_may_be_repeated_and_is_done_once(fault: Fault, *, done: bool) -> None:
    async with sale(retries=0) as here:
        customer = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
        here.fake.faults.append(Fault(fault.path, fault.status, after=done))
        with pytest.raises(ProviderError) as failed:
            await here.provider.open_order(wish(customer, item()))
        assert failed.value.retry
        assert len(here.fake.books.kept["sessions"]) == done
        order = await here.provider.open_order(wish(customer, item()))
        assert (order.state, len(here.fake.books.kept["sessions"])) == (OrderState.OPEN, 1)


async def test_an_answer_that_takes_too_long_is_not_waited_for() -> None:
    async with sale() as here:
        access = Access(api_key="sk_test_" + "0" * 24, base=here.fake.url, timeout_s=0.2, retries=0)
        hasty = StripeProvider(Config(access=access, secrets=(SECRET,)), Notes())
        try:
            customer = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
            await hasty.admitted()
            here.fake.faults.append(Fault("prices", 0, method="GET", hangs_s=2))
            with pytest.raises(ProviderError, match="cannot be reached") as failed:
                await hasty.open_order(wish(customer, item()))
            assert failed.value.retry
        finally:
            await hasty.close()
        assert (await here.provider.open_order(wish(customer, item()))).state is OrderState.OPEN


async def test_a_clock_that_jumps_to_the_next_renewal_does_all_that_falls_due_on_the_way() -> None:
    async with sale() as here:
        customer = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
        order = await here.provider.open_order(wish(customer, item(mode="subscription")))
        assert here.fake.selling.confirm(here.fake.books.get("sessions", order.id))
        begun = here.fake.books.now
        for number in (1, 2):
            here.fake.advance(begun + number * 30 * DAY + 3600 - here.fake.books.now)
            paid = [each for each in here.fake.money.ledger if each.kind == "paid"]
            assert [each.end for each in paid] == [begun + (n + 1) * 30 * DAY for n in range(number + 1)]
