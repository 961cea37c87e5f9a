"""A ledger that has to be asked for every charge, as one in Redis has: the memory ledger behind a turn of the loop."""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.core.cascade import Bill, Charge, Refusal
from gateway.core.problems import StoreUnavailable
from gateway.core.till import Till
from gateway.ledger.memory import MemoryLedger
from gateway.ledger.port import Tell


class Asked:
    """``away``: it cannot be asked. ``asked``: how many charges came by ``charge_soon``. ``gate``: when they go on."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._tasks: set[asyncio.Task[None]] = set()
        self.away = False
        self.asked = 0
        self.gate: asyncio.Event | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def take(self, tills: Sequence[Till], cost: int, now_us: int) -> None:
        """Nothing is at hand."""

    def charge_now(self, bill: Bill, now_us: int) -> None:
        """Nothing is known without asking."""

    async def charge(self, bill: Bill, now_us: int) -> Charge | Refusal:
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise StoreUnavailable("It is away.")
        return await self._ledger.charge(bill, now_us)

    def charge_soon(self, bill: Bill, now_us: int, tell: Tell) -> bool:
        self.asked += 1
        task = asyncio.get_running_loop().create_task(self._charge_and_tell(bill, now_us, tell))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _charge_and_tell(self, bill: Bill, now_us: int, tell: Tell) -> None:
        try:
            outcome: Charge | Refusal | StoreUnavailable = await self.charge(bill, now_us)
        except StoreUnavailable as error:
            outcome = error
        tell(outcome)
