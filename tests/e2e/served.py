"""``weighbridge serve`` as a process of its own, and what a test can see of it: its answers, its logs, its end."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from aiohttp import ClientResponse, ClientSession, DummyCookieJar
from yarl import URL

from tests.e2e.world import BASE, SECRET, merged

PROGRAM = Path(sys.executable).with_name("weighbridge")
PATIENCE_S = 120.0
"""Far longer than anything here takes: a busy machine makes a test slow, and not wrong."""


def configure(folder: Path, upstream: str, yaml: str) -> Path:
    """Write ``gateway.yaml``: the tests' own with the keys of ``yaml`` in place of its own."""
    config = folder / "gateway.yaml"
    config.write_text(merged(BASE.format(upstream=upstream, folder=folder), dedent(yaml)))
    return config


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the process inherits. A value of ``more`` counts; the secret of the tests is there."""
    return {**os.environ, "JWT_SECRET": SECRET, **(more or {})}


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for ``condition``; fail with ``what`` if it never comes."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited in vain: {what}") from None


class Served:
    """A running gateway. ``folder`` holds all it writes: ``events.log`` (stderr), ``stdout.log`` and its ledger."""

    def __init__(self, process: Process, folder: Path, session: ClientSession) -> None:
        self.process = process
        self.folder = folder
        self.url = ""
        self._session = session

    @property
    def config(self) -> Path:
        return self.folder / "gateway.yaml"

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was logged until now, whole lines only."""
        lines = (self.folder / "events.log").read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def accesses(self) -> list[dict[str, Any]]:
        """The lines of the access log until now."""
        log = self.folder / "access.log"
        return [json.loads(line) for line in log.read_text().split("\n")[:-1]] if log.exists() else []

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [found for found in self.events if found["event"] == event]

    async def until_logged(self, event: str, times: int = 1) -> dict[str, Any]:
        """Wait until ``event`` was logged so often; the last of them."""
        await until(lambda: len(self.logged(event)) >= times or self.process.returncode is not None, event)
        found = self.logged(event)
        assert len(found) >= times, (self.folder / "events.log").read_text()
        return found[times - 1]

    async def ask(
        self, path: str, token: str | None = None, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> ClientResponse:
        """One request with its body read."""
        said = {} if token is None else {"Authorization": f"Bearer {token}"}
        url = URL(self.url + path, encoded=True)
        async with self._session.request(method, url, headers={**said, **(headers or {})}) as answer:
            await answer.read()
            return answer

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def reload(self) -> dict[str, Any]:
        """Send SIGHUP; what was said of it."""
        outcomes = ("reloaded", "reload refused, the old configuration goes on")
        before = sum(len(self.logged(outcome)) for outcome in outcomes)
        self.send(signal.SIGHUP)
        await until(lambda: sum(len(self.logged(outcome)) for outcome in outcomes) > before, "a reload")
        return [event for event in self.events if event["event"] in outcomes][-1]

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.send(number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)


@asynccontextmanager
async def served(
    folder: Path,
    *,
    command: Sequence[str | Path] = (PROGRAM, "serve"),
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Served]:
    """The gateway of ``folder/gateway.yaml``, listening; killed at the end if it still lives."""
    with (folder / "events.log").open("ab") as events, (folder / "stdout.log").open("ab") as stdout:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment(env), stdout=stdout, stderr=events
        )
    async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as session:
        here = Served(process, folder, session)
        try:
            starts = len(here.logged("listening")) + 1
            here.url = (await here.until_logged("listening", starts))["urls"][0]
            yield here
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
