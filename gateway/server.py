"""Running a gateway as a process: signals, reloads, and an orderly end."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway import log
from gateway.app import Gateway
from gateway.core.problems import StoreUnavailable
from gateway.core.rules import RuleErrors
from gateway.journal.errors import JournalError
from gateway.proxy.doors import CannotListen
from gateway.settings.load import load
from gateway.settings.models import Settings
from gateway.settings.problems import SettingsErrors
from gateway.settings.reload import restart_only
from gateway.settings.watch import content, watch
from gateway.store.errors import StoreError
from gateway.tasks import Tasks
from gateway.workers.worker import Worker

_log = log.get_logger(__name__)


_COLLECT = (50_000, 20, 50)
"""Of objects that outlive a request there are few: the collector need not look after every 700 new ones."""
SWITCH_S = 0.0005
"""How long a busy thread (the journal's) may keep the interpreter from the event loop; Python's 5 ms would stall it."""


class StartError(Exception):
    """Why the gateway cannot run, in a sentence for the operator."""


async def start(settings: Settings, worker: Worker | None = None) -> Gateway:
    """Start a gateway. Raises ``StartError``; nothing is left open then."""
    gateway = Gateway(settings, worker)
    try:
        await gateway.start()
    except (JournalError, StoreError, StoreUnavailable, CannotListen, RuleErrors, ValueError, OSError) as error:
        await gateway.stop()
        raise StartError(str(error)) from error
    return gateway


async def serve(config: Path, settings: Settings, worker: Worker | None = None) -> None:
    """Run until SIGTERM or SIGINT. SIGHUP, or a change of a configuration file, reloads. Raises ``StartError``.

    ``worker``: one of several, which ends with its supervisor.
    """
    stop, hang_up = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, hang_up.set)  # also while a long journal is read: it must not kill
    gateway = await start(settings, worker)
    tune_the_interpreter()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if worker is None:
        _log.info("listening", urls=gateway.urls, upstream=list(settings.upstream.addresses))
    else:
        _log.info("a worker serves", worker=worker.number)
        loop.add_reader(worker.leash, stop.set)
        worker.tell_ready()
    _warn(settings)
    reloader, tasks = Reloader(gateway, config), Tasks()
    tasks.start(watch(reloader.digests, reloader.files_changed), "watch the configuration")
    tasks.start(reloader.on_signal(hang_up), "reload on SIGHUP")
    await stop.wait()
    if worker is not None:
        loop.remove_reader(worker.leash)
    _log.info("stopping", in_flight=gateway.metrics.in_flight)
    await tasks.close()
    try:
        await gateway.stop()
    except JournalError as error:
        raise StartError(f"stopped, but {error}") from error
    _log.info("stopped")


def tune_the_interpreter() -> None:
    """What is here at the start stays, what a request makes is freed by its count; and threads take turns quickly."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)
    sys.setswitchinterval(SWITCH_S)


def _warn(settings: Settings) -> None:
    for warning in settings.warnings:
        _log.warning("doubtful configuration", warning=warning)


class Reloader:
    """Loads the configuration anew and swaps it in, or says why the running one stays."""

    def __init__(self, gateway: Gateway, config: Path) -> None:
        self._gateway = gateway
        self._config = config
        self._refused: Mapping[str, str] = {}
        self._turn = asyncio.Lock()

    def digests(self) -> Mapping[str, str]:
        """The files to watch: those of the running configuration, and those of one that was refused."""
        return {**self._gateway.settings.source.digests, **self._refused}

    async def files_changed(self, changed: tuple[str, ...]) -> None:
        """Some of the files have new contents: reload, unless these contents were just loaded or refused."""
        async with self._turn:
            tried = self.digests()
            if all(content(path) == tried.get(path) for path in changed):
                return
            _log.info("configuration changed", files=list(changed))
            await self._reload()

    async def on_signal(self, hang_up: asyncio.Event) -> None:
        """Reload, and open the logs anew, at each SIGHUP."""
        while True:
            await hang_up.wait()
            hang_up.clear()
            self._gateway.reopen_logs()
            await self.reload()

    async def reload(self) -> bool:
        """Whether the new configuration runs now."""
        async with self._turn:
            return await self._reload()

    async def _reload(self) -> bool:
        gateway = self._gateway
        try:
            settings = await asyncio.to_thread(load, self._config, dict(os.environ))
        except SettingsErrors as errors:
            return self._refuse(str(errors), errors.digests)
        digests = settings.source.digests
        if kept := restart_only(gateway.settings, settings):
            return self._refuse(f"{', '.join(kept)} can only change with a restart", digests)
        try:
            await gateway.reload(settings)
        except (RuleErrors, StoreUnavailable, ValueError, OSError) as error:
            return self._refuse(str(error), digests)
        self._refused = {}
        gateway.metrics.config_reloads["applied",] += 1
        _log.info("reloaded", plans=len(settings.plans), rules=len(settings.rules))
        _warn(settings)
        return True

    def _refuse(self, reason: str, digests: Mapping[str, str]) -> bool:
        self._refused = digests  # until one runs: the repair may be made in a file that this one brought along
        self._gateway.metrics.config_reloads["refused",] += 1
        _log.error("reload refused, the old configuration goes on", reason=reason)
        return False
