"""Comparing one sale after the other with the provider's, no faster than it may be asked. An odd one stops no other."""

import asyncio
import traceback

from gateway import log
from gateway.billing.run import Progress, Run
from gateway.billing.sales import HOUR_US, Sales
from gateway.billing.settle import Settled, settle
from gateway.core.problems import NotFound, Problem, StoreUnavailable
from gateway.payments.port import Busy, Owner, ProviderError
from gateway.store import orders

_CALLS_PER_SALE = 4
_log = log.get_logger(__name__)


class Comparer:
    """Compares. One for all runs of a gateway: they share the pace."""

    def __init__(self, sales: Sales) -> None:
        self._sales = sales
        self._free_us = 0

    async def compare(self, id_: str, owner: Owner | None, run: Run, said: Progress) -> None:
        """Bring one sale in step, or only see what is not. What is wrong with it is written down in ``run``.

        Raises ``Busy``: that is nothing of this sale's, and the next has no better chance.
        """
        await self._pace()
        try:
            settled = await settle(self._sales, id_, owner, dry_run=run.dry_run)
        except (StoreUnavailable, Busy):
            raise
        except Exception as error:  # noqa: BLE001  (one odd sale does not keep the others waiting)
            if not isinstance(error, (ProviderError, Problem, TimeoutError)):
                stack = "".join(traceback.format_tb(error.__traceback__))
                _log.error("a sale cannot be understood", sale=id_, error=type(error).__name__, stack=stack)
            await self._put_off(id_, error, run)
            return
        run.compared += 1
        said("sales", run.compared)
        self.note(run, settled)

    def note(self, run: Run, settled: Settled) -> None:
        """Write down what was not the same."""
        run.note(settled)
        if settled.changes and not run.dry_run:
            self._sales.counts.repairs += 1

    async def _pace(self) -> None:
        """So many calls a second at most: what happens meanwhile, and customers, are to be served as well."""
        now_us = self._sales.now_us()
        each_us = int(_CALLS_PER_SALE * 1_000_000 / self._sales.policy.per_second)
        self._free_us = max(self._free_us, now_us - _CALLS_PER_SALE * each_us) + each_us
        if (wait_us := min(self._free_us - now_us, 10 * each_us)) > 0:
            await asyncio.sleep(wait_us / 1_000_000)

    async def _put_off(self, id_: str, error: Exception, run: Run) -> None:
        """What could not be compared now is tried again in an hour, and says why."""
        problem = str(getattr(error, "message", None) or type(error).__name__)
        run.problems.append(f"{id_}: {problem}")
        if run.dry_run or isinstance(error, NotFound):
            return
        sales = self._sales
        async with sales.store.write(sales.mandate("gateway")) as act:
            await orders.set_order(act, id_, due_us=act.now_us + HOUR_US, problem=problem[:500])
