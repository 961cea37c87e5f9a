"""A store with a plan to sell, a fake Stripe, and what sells between them: no HTTP of ours, no clock but this one."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.billing import checkout, inbox
from gateway.billing.checkout import Page, Purchase
from gateway.billing.memory import StoreMemory
from gateway.billing.plan_change import Shown
from gateway.billing.run import Run
from gateway.billing.sales import Policy, Sales
from gateway.billing.sync import Syncer
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.core.sale import Mode
from gateway.core.scope import Scope
from gateway.demo.stripe.delivery import Delivery
from gateway.demo.stripe.server import FakeStripe
from gateway.payments.port import BadSignature, Foreign, Preview
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.pace import Pace
from gateway.payments.stripe.provider import Config, StripeProvider
from gateway.store import plans, subscribed
from gateway.store.listing import Listing
from gateway.store.mandate import Actor, Mandate
from gateway.store.open import open_store
from gateway.store.rows import PlanDraft, PlanRow, PriceDraft, SubscriptionRow, Terms
from gateway.store.store import Store
from tests.billing.near import URL as NEAR
from tests.billing.near import NearDelivery, NearStripe, near_provider
from tests.payments.stripe.judge import Judge

START_S = 1_800_000_000
DAY_S = 86_400
SECRET = "whsec_of_the_tests"
ALICE = Scope("user", "alice")
ACME = Scope("workspace", "acme")
POLICY = Policy(per_second=1_000_000)


@dataclass
class Shop:
    """What a test can do. ``now_us`` follows the fake's clock."""

    fake: FakeStripe
    sales: Sales
    syncer: Syncer
    plan: PlanRow
    webhooks: Delivery
    provide: Callable[[], StripeProvider] | None = None
    """A provider as after a restart: what it has learned of its account is forgotten."""

    @property
    def store(self) -> Store:
        return self.sales.store

    def by(self, user: str = "alice") -> Mandate:
        return Mandate(Actor("user", user), self.sales.now_us())

    async def buy(
        self, scope: Scope = ALICE, *, mode: Mode = "payment", plan: PlanRow | None = None, **more: Any
    ) -> Page:
        said: dict[str, Any] = {"currency": None, "user_id": "alice", "success_url": "https://shop.test/ok"}
        said |= {"cancel_url": "https://shop.test/no", **more}
        purchase = Purchase(plan_id=(plan or self.plan).id, scope=scope, mode=mode, **said)
        return await checkout.buy(self.sales, purchase, self.by())

    def pay(self, page: Page, *, delayed: bool = False) -> bool:
        return self.fake.selling.confirm(self.fake.books.get("sessions", page.external_id), delayed=delayed)

    async def bought(self, scope: Scope = ALICE, **more: Any) -> SubscriptionRow:
        """Bought, paid, and every webhook delivered."""
        page = await self.buy(scope, **more)
        assert self.pay(page)
        await self.fake.deliver()
        return await self.row(page.subscription_id)

    async def row(self, id_: str) -> SubscriptionRow:
        return await subscribed.get(self.store, id_)

    async def rows(self) -> tuple[SubscriptionRow, ...]:
        return await subscribed.page(self.store, Listing(limit=1000))

    def later(self, seconds: int) -> None:
        self.fake.advance(seconds)

    async def sync(self, *, full: bool = False, dry_run: bool = False) -> Run:
        return await self.syncer.run(full=full, dry_run=dry_run)

    async def grants(self, scope: Scope = ALICE) -> bool:
        now_us = self.sales.now_us()
        return any(held.starts_us <= now_us for held in await subscribed.held(self.store, scope, now_us))


def near_shop(store: Store, policy: Policy = POLICY) -> Shop:
    """The same without sockets, in a store that is open already; nothing is for sale yet."""
    fake = NearStripe(now=lambda: START_S, automatic=False, on_request=Judge())
    fake.begin(NEAR)

    def now_us() -> int:
        return fake.books.now * 1_000_000

    access = Access(api_key="sk_test_" + "0" * 24, base=NEAR, retries=0)
    memory = StoreMemory(store, "stripe", now_us)
    provide = partial(near_provider, fake, Config(access=access, secrets=(SECRET,)), memory)
    sales = Sales(store, provide(), policy, now_us)
    webhooks = NearDelivery("", SECRET, lambda: fake.books.now)
    webhooks.sales = sales
    fake.deliveries.append(webhooks)
    return Shop(fake, sales, Syncer(sales), None, webhooks, provide)  # type: ignore[arg-type]


@asynccontextmanager
async def shop(
    folder: Path, migrated: Path | None, policy: Policy = POLICY, url: str = "", pace: Pace | None = None
) -> AsyncIterator[Shop]:
    if migrated is not None:
        shutil.copy(migrated, folder / "store.db")
        url = f"sqlite:///{folder}/store.db"
    store = await open_store(url)
    judge = Judge()
    fake = FakeStripe(now=lambda: START_S, automatic=False, on_request=judge)
    await fake.start()
    access = Access(api_key="sk_test_" + "0" * 24, base=fake.url, timeout_s=5, retries=0, pace=pace)

    def now_us() -> int:
        return fake.books.now * 1_000_000

    provider = StripeProvider(Config(access=access, secrets=(SECRET,)), StoreMemory(store, "stripe", now_us))
    sales = Sales(store, provider, policy, now_us)
    fake.deliveries.clear()
    runner = await webhook(sales)
    webhooks = fake.subscribe(f"http://127.0.0.1:{runner.addresses[0][1]}/", SECRET)
    webhooks._now = lambda: fake.books.now
    by = Mandate(Actor("admin", "root"), sales.now_us())
    plan = await plans.create(store, draft(), by, prices=prices())
    try:
        yield Shop(fake, sales, Syncer(sales), plan, webhooks)
        judge.check(fake)
    finally:
        await runner.cleanup()
        await provider.close()
        await fake.close()
        await store.close()


async def webhook(sales: Sales) -> web.AppRunner:
    """Where the fake sends its events to: kept, acted on, answered."""

    async def take(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            row = await inbox.receive(sales, headers, await request.read())
        except BadSignature:
            return web.Response(status=400)
        except Foreign:
            return web.Response()
        if row is not None and row.state == "received":
            await inbox.act_on(sales, row)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


def shown(preview: Preview) -> Shown:
    """What a page hands back of a preview."""
    return Shown(preview.at_us, preview.amount_due, preview.begins_us, preview.amount_then)


def draft(slug: str = "pro", amount: int = 1000, **more: Any) -> PlanDraft:
    terms = Terms((PlanLimit(THROUGHPUT, amount, 3_600_000_000),), 30)
    return replace(PlanDraft(slug=slug, name=slug.title(), terms=terms), **more)


def prices(amount: int = 500) -> list[PriceDraft]:
    return [PriceDraft(currency="usd", amount=amount, is_default=True), PriceDraft(currency="jpy", amount=amount)]


async def another(here: Shop, draft_: PlanDraft, prices_: list[PriceDraft] | None = None) -> PlanRow:
    """Another plan for sale."""
    return await plans.create(here.store, draft_, here.by(), prices=prices() if prices_ is None else prices_)


async def big_plan(here: Shop, slug: str = "big", amount: int = 100_000) -> PlanRow:
    """A plan that costs very much more, known at the provider."""
    plan = await another(here, draft(slug, amount=1_000_000), prices(amount))
    await here.sync(full=True)
    return plan


def renewing_price(here: Shop, plan: PlanRow) -> str:
    """The id of the fake's price for which a plan renews in dollars."""
    (price,) = [
        each["id"]
        for each in here.fake.books.kept["prices"].values()
        if each["recurring"] and each["currency"] == "usd" and each["metadata"].get("plan_id") == plan.id
    ]
    return str(price)


def charged(here: Shop) -> list[int]:
    """What was charged at the fake, in the order of the charges."""
    return [each["amount"] for each in here.fake.books.kept["charges"].values()]


def running(here: Shop) -> list[str]:
    """The ids of the fake's subscriptions that have not ended."""
    return [each["id"] for each in here.fake.books.kept["subscriptions"].values() if each["ended_at"] is None]
