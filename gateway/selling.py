"""A gateway that sells: its provider, what is sold through it, and the job that keeps both in step."""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial

from gateway import log
from gateway.billing import inbox
from gateway.billing.memory import StoreMemory
from gateway.billing.sales import Policy, Sales, Then
from gateway.billing.sync import DRY, Fence, Syncer
from gateway.billing.walk import taken_up
from gateway.clock import new_id, now_us
from gateway.core.problems import PreconditionFailed, StoreUnavailable
from gateway.jobs.lease import Candidate, Held, run
from gateway.metrics import Metrics
from gateway.payments.open import StripeParts, open_stripe
from gateway.payments.port import ProviderError, Strange
from gateway.settings.models import Settings
from gateway.store import orders, signals, syncs
from gateway.store.store import Store
from gateway.tasks import Tasks

_PATIENCE_S = 5.0
_LOOK_S = 60.0
_log = log.get_logger(__name__)


class Selling:
    """What sells. ``sales`` and ``syncer`` for the API; the rest runs by itself."""

    def __init__(self, sales: Sales, tasks: Tasks, *, demo: bool) -> None:
        self.sales = sales
        self.syncer = Syncer(sales)
        self.demo = demo
        self._tasks = tasks
        self._figures: dict[str, float] = {}
        self._stranger: str | None = None

    def configure(self, settings: Settings) -> None:
        """Take the policy of these settings."""
        self.sales.policy = policy_of(settings)

    @property
    def parts(self) -> Mapping[str, str]:
        """Its part in readiness: it sells on while the sync is held up."""
        last = self.syncer.last
        held_up = None if last is None or not last.problems else last.problems[0]
        problem = self._stranger or held_up
        return {self.sales.provider.name: "ok" if problem is None else f"degraded: {problem}"}

    def start(self) -> None:
        """Run the sync, on one gateway of those that share the store."""
        sales = self.sales
        candidate = Candidate(sales.store, f"sync-{sales.provider.name}", new_id(), now_us)
        self._tasks.start(self._look_at_key(), "see whose key it is")
        self._tasks.start(run(candidate, self._job), "sync with the payment provider")

    async def _look_at_key(self) -> None:
        """See whose key it is before anybody buys. While it is not known, each request to the provider asks first."""
        while True:
            try:
                account = await self.sales.provider.admitted()
            except Strange as error:
                self._stranger = error.message
                _log.error("nothing is sold", reason=error.message)
            except (ProviderError, StoreUnavailable) as error:
                _log.warning("it is not known yet whose key it is", error=type(error).__name__)
            else:
                self._stranger = None
                _log.info("sells", provider=self.sales.provider.name, account=str(account))
                return
            await asyncio.sleep(_LOOK_S)

    def sample(self, metrics: Metrics) -> None:
        """Let the metrics tell how it is."""
        name = self.sales.provider.name
        counts = self.sales.counts
        metrics.sample("payment_signals", lambda: {(name, state): n for state, n in counts.signals.items()})
        metrics.sample("payment_unmatched", lambda: {(name,): counts.unmatched})
        metrics.sample("payment_repairs", lambda: {(name,): counts.repairs})
        for gauge in (
            "payment_signals_open",
            "payment_signal_age_seconds",
            "payment_cursor_age_seconds",
            "payment_catalog_drift",
            "payment_compared",
            "payment_paid_twice",
            "payment_overdue",
        ):
            metrics.sample(gauge, partial(self._figure, gauge))

    def _figure(self, gauge: str) -> dict[tuple[str, ...], float]:
        """Of the gateway that runs the job, and of no other: what all say is added up."""
        return {(self.sales.provider.name,): self._figures[gauge]} if self._figures else {}

    async def close(self) -> None:
        """Finish what is being acted on, and let go of the provider."""
        await self.sales.tasks.finish(_PATIENCE_S)
        await self.sales.provider.close()

    async def _job(self, held: Held) -> None:
        """Until another gateway does it: act on what failed or was left, then sync."""
        sales = self.sales

        dry = Tasks()
        try:
            while True:
                sales.wanted.clear()
                if not await self._turn(held.fence, dry):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(sales.wanted.wait(), sales.policy.sync_every_us / 1_000_000)
        finally:
            self._figures = {}
            await dry.close()

    async def _turn(self, fence: Fence, dry: Tasks) -> bool:
        """What is to be done now, and what somebody asked for. Whether there is more to do at once."""
        sales = self.sales
        try:
            async with sales.store.write(sales.mandate("gateway")) as act:
                await fence(act)
                asked = await syncs.take_asked(act, sales.provider.name)
                if "full" in asked:
                    await self.syncer.begin(act)
                if len(dry):  # one after the other
                    for word in asked & DRY:
                        await syncs.ask(act, sales.provider.name, word)
            for word in () if len(dry) else asked & DRY:
                dry.start(self._dry(fence, full=word == "dryfull"), "see what a sync would change")
            if asked and asked <= DRY:
                return False  # only to look: what differs is left as it is for once
            acted = await inbox.act_on_due(sales)
            more = await self.syncer.step(fence, full="full" in asked) or acted >= inbox.MOST_DUE
            await self._measure()
        except StoreUnavailable as error:
            _log.warning("the sync waits for the store", reason=str(error.__cause__))
        except PreconditionFailed:
            raise  # another gateway does it now
        except Exception as error:  # noqa: BLE001  (the next run may go well)
            _log.error("a sync failed", error=type(error).__name__, reason=str(error)[:200])
        else:
            return more
        return False

    async def _dry(self, fence: Fence, *, full: bool) -> None:
        try:
            await self.syncer.dry(fence, full=full)
        except (StoreUnavailable, PreconditionFailed) as error:
            _log.warning("a dry run is lost", reason=type(error).__name__)

    async def _measure(self) -> None:
        sales, at_us = self.sales, self.sales.now_us()
        counts = await signals.counts(sales.store)
        oldest_us = await signals.oldest_open_us(sales.store)
        row = await syncs.get(sales.store, sales.provider.name)
        self._figures = {
            "payment_signals_open": counts.get("received", 0) + counts.get("failed", 0),
            "payment_signal_age_seconds": 0 if oldest_us is None else (at_us - oldest_us) / 1_000_000,
            "payment_cursor_age_seconds": 0 if row.cursor_us is None else (at_us - row.cursor_us) / 1_000_000,
            "payment_catalog_drift": len(row.drift),
            "payment_compared": 0 if row.walk is None else taken_up(row.walk).run.compared,
            "payment_paid_twice": len(await orders.paid_twice(sales.store, sales.provider.name)),
            "payment_overdue": await orders.count_overdue(sales.store, sales.provider.name, at_us),
        }


def policy_of(settings: Settings) -> Policy:
    """What the settings say about payments."""
    said = settings.payments
    kind, _, slug = said.past_due.then.partition(" ")
    then = Then(kind=kind, plan=slug or None, percent=said.past_due.throttle_percent)  # type: ignore[arg-type]
    return Policy(
        return_origins=None if said.return_origins is None else frozenset(said.return_origins),
        grace_us=said.past_due.grace,
        slack_us=said.renewal_slack,
        then=then,
        pending_us=said.pending,
        trials={slug: days // 86_400_000_000 for slug, days in said.trials.items()},
        sync_every_us=said.sync,
        per_second=said.calls_per_second,
    )


def open_sales(settings: Settings, store: Store) -> Sales:
    """What sells through Stripe, as configured. Nothing is asked of it yet."""
    stripe = settings.payments.stripe
    if stripe is None:
        raise ValueError("payments.stripe is null: nothing is sold")
    parts = StripeParts(
        api_key=stripe.api_key.get_secret_value(),
        webhook_secrets=tuple(secret.get_secret_value() for secret in stripe.webhook_secrets),
        app=stripe.app,
        account=stripe.account,
        base=stripe.api_base,
        timeout_s=stripe.timeout.seconds,
        retries=stripe.retries,
    )
    memory = StoreMemory(store, "stripe", now_us)
    return Sales(store, open_stripe(parts, memory), policy_of(settings), now_us)


def open_selling(settings: Settings, store: Store, tasks: Tasks) -> Selling:
    """What sells. ``tasks`` run its job."""
    stripe = settings.payments.stripe
    return Selling(open_sales(settings, store), tasks, demo=stripe is not None and stripe.demo)
