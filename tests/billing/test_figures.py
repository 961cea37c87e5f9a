"""What the metrics tell of sales is told by the gateway that runs the sync: what all gateways say is added up."""

import asyncio
import copy
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.clock import now_us
from gateway.jobs.lease import Candidate
from gateway.metrics import INSTRUMENTS, Metrics
from gateway.selling import Selling
from gateway.tasks import Tasks
from tests.billing.shop import Shop, shop

GAUGES = [each.name for each in INSTRUMENTS if each.name.startswith("payment_") and each.kind == "gauge"]

LINE = r'^weighbridge_(payment_\w+)\{provider="stripe"\} (\S+)$'


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        yield running


class Replica:
    """One of the gateways that share a store."""

    def __init__(self, here: Shop, name: str) -> None:
        self._selling, self._metrics, self._tasks = Selling(here.sales, Tasks(), demo=False), Metrics(), Tasks()
        self._candidate = Candidate(here.store, "sync-stripe", name, now_us)
        self._selling.sample(self._metrics)

    async def works(self) -> None:
        assert await self._candidate.step()
        assert self._candidate.held is not None
        self._tasks.start(self._selling._job(self._candidate.held), "sync")
        async with asyncio.timeout(30):
            while not self.told:
                await asyncio.sleep(0.01)

    async def stops_working(self) -> None:
        """As ``run`` stops a job whose lease somebody else has by now."""
        await self._tasks.close()
        await self._candidate.let_go()

    @property
    def told(self) -> list[str]:
        """The gauges that it says something of."""
        lines = self._metrics.text().decode().splitlines()
        return [gauge for gauge in GAUGES if any(line.startswith(f"weighbridge_{gauge}{{") for line in lines)]


async def test_after_a_take_over_each_figure_is_told_once(here: Shop) -> None:
    first, second = Replica(here, "first"), Replica(here, "second")
    await first.works()
    assert (first.told, second.told) == (GAUGES, [])
    await first.stops_working()
    await second.works()
    assert (first.told, second.told) == ([], GAUGES)
    await second.stops_working()


async def test_the_figures_say_what_waits_what_is_late_and_what_differs(here: Shop) -> None:
    selling, metrics = Selling(here.sales, Tasks(), demo=False), Metrics()
    selling.sample(metrics)

    async def told() -> dict[str, float]:
        await selling._measure()
        found = re.findall(LINE, metrics.text().decode(), re.MULTILINE)
        return {name: float(value) for name, value in found if name in GAUGES}

    await here.sync(full=True)
    assert {name for name, value in (await told()).items() if value} == {"payment_cursor_age_seconds"}
    page = await here.buy()
    here.pay(page)
    here.webhooks.waiting = [each for each in here.webhooks.waiting if each["type"] == "checkout.session.completed"]
    (event,) = copy.deepcopy(here.webhooks.waiting)
    event["data"]["object"]["metadata"]["subscription_id"] = "lost"
    event["data"]["object"]["id"] = "cs_lost"
    here.webhooks.waiting = [event]
    await here.fake.deliver()
    here.later(3600)
    (product,) = here.fake.books.kept["products"].values()
    product["name"] = "Another"
    here.fake.books.tell("product.updated", product)
    seen = await told()
    assert (seen["payment_signals_open"], seen["payment_overdue"]) == (1, 1)
    assert seen["payment_cursor_age_seconds"] == pytest.approx(3900, abs=60)
    assert seen["payment_signal_age_seconds"] == pytest.approx(3600, abs=60)
    await here.sync()
    seen = await told()
    assert (seen["payment_overdue"], seen["payment_catalog_drift"]) == (0, 1)
    assert seen["payment_cursor_age_seconds"] == pytest.approx(300, abs=60)
