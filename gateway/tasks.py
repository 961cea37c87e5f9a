"""The one place that starts tasks: each is kept until it ends, and a failure is logged, never lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

_AGAIN_S = 0.5
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Tasks:
    """The tasks of one owner; ``close`` cancels what still runs and waits for it.

    ``stubborn``: what they call may lose a cancelling (redis-py does, now and then), so they are cancelled again.
    """

    def __init__(self, *, stubborn: bool = False) -> None:
        self._again_s = _AGAIN_S if stubborn else None
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, _T], name: str) -> asyncio.Task[_T]:
        """Run ``coroutine`` beside the caller."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def __len__(self) -> int:
        return len(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task failed", task=task.get_name(), error=type(error).__name__, exc_info=error)

    async def finish(self, patience_s: float) -> None:
        """Wait until every task has ended; cancel those that take longer than ``patience_s`` seconds."""
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=patience_s)
        await self.close()

    async def close(self) -> None:
        """Cancel every task and wait until each has ended."""
        for task in tuple(self._running):
            task.cancel()
        while self._running:
            _, left = await asyncio.wait(tuple(self._running), timeout=self._again_s)
            for task in left:
                task.cancel()
