"""Tasks end with their owner, also those that lose a cancelling."""

import asyncio

import pytest

from gateway.tasks import Tasks


async def test_a_task_that_loses_a_cancelling_is_cancelled_again_where_that_is_known_to_happen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.tasks._AGAIN_S", 0.0)
    lost: list[str] = []

    async def loses_it_twice() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append("lost")

    tasks = Tasks(stubborn=True)
    task = tasks.start(loses_it_twice(), "a library")
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await tasks.close()
    assert (len(lost), len(tasks), task.cancelled()) == (2, 0, True)


async def test_what_tidies_up_when_it_is_cancelled_has_all_the_time_it_takes() -> None:
    tidied: list[str] = []

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            tidied.append("all")

    tasks = Tasks()
    tasks.start(tidy(), "tidies up")
    await asyncio.sleep(0)
    await tasks.close()
    assert tidied == ["all"]
