"""Late debits in turns: one at a time, each finished, also when whoever waits for it has to go.

A turn that was cut short where the ledger is just being asked would be taken again by somebody who cannot know what
became of it: a refund would be made twice.
"""

import asyncio
from collections.abc import Awaitable, Callable

from gateway import log
from gateway.core.problems import StoreUnavailable
from gateway.tasks import Tasks

Debit = Callable[[], Awaitable[None]]

_log = log.get_logger(__name__)


class Turns:
    """Takes turns at one thing."""

    def __init__(self, act: Debit) -> None:
        self._act = act
        self._one = asyncio.Lock()
        self._tasks = Tasks()

    async def take(self) -> None:
        """Take a whole turn after those that are under way. Raises what it raises."""
        failure = await asyncio.shield(self._tasks.start(self._turn(), "a turn of late debits"))
        if failure is not None:
            raise failure

    async def _turn(self) -> Exception | None:
        async with self._one:
            try:
                await self._act()
            except Exception as error:  # noqa: BLE001  (it belongs to whoever took the turn)
                return error
        return None

    async def close(self) -> None:
        """Cut short what is still under way; nobody may take a turn after this."""
        await self._tasks.close()


async def debit_once(debit: Debit) -> None:
    """Debit what can be debited now. What fails is tried again with the next turn, so nothing is raised."""
    try:
        await debit()
    except StoreUnavailable:
        pass  # it is counted and shown where it began
    except Exception as error:  # noqa: BLE001  (the next turn may go well)
        _log.exception("what came late could not be debited; it is tried again", error=type(error).__name__)


async def keep_debiting(debit: Debit, every_s: float) -> None:
    """Debit every ``every_s`` seconds, whatever happens, until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        await debit_once(debit)
