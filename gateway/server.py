"""Running a gateway as a process: signals, reloads, and an orderly end."""

import asyncio
import gc
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from gateway import log
from gateway.app import Gateway
from gateway.core.rules import RuleErrors
from gateway.journal.errors import JournalError
from gateway.settings.load import load
from gateway.settings.models import Settings
from gateway.settings.problems import SettingsErrors
from gateway.settings.reload import restart_only
from gateway.settings.watch import watch
from gateway.tasks import Tasks

_log = log.get_logger(__name__)


_COLLECT = (50_000, 20, 50)
"""Of objects that outlive a request there are few: the collector need not look after every 700 new ones."""


class StartError(Exception):
    """Why the gateway cannot run, in a sentence for the operator."""


async def start(settings: Settings) -> Gateway:
    """Start a gateway. Raises ``StartError``; nothing is left open then."""
    gateway = Gateway(settings)
    try:
        await gateway.start()
    except (JournalError, RuleErrors, ValueError, OSError) as error:
        await gateway.stop()
        raise StartError(_sentence(error, settings)) from error
    return gateway


def _sentence(error: Exception, settings: Settings) -> str:
    if isinstance(error, OSError) and not isinstance(error, JournalError):
        return f"cannot listen on {settings.listen}: {error.strerror or error}; free the port or change `listen`"
    return str(error)


async def serve(config: Path, settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. SIGHUP, or a change of a configuration file, reloads. Raises ``StartError``."""
    gateway = await start(settings)
    _spare_the_collector()
    reloader = Reloader(gateway, config)
    stop, hang_up = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hang_up.set)
    _log.info("listening", urls=gateway.urls, upstream=settings.upstream.url)
    tasks = Tasks()
    tasks.start(watch(reloader.digests, reloader.files_changed), "watch the configuration")
    tasks.start(reloader.on_signal(hang_up), "reload on SIGHUP")
    await stop.wait()
    _log.info("stopping", in_flight=gateway.metrics.in_flight)
    await tasks.close()
    try:
        await gateway.stop()
    except JournalError as error:
        raise StartError(f"stopped, but {error}") from error
    _log.info("stopped")


def _spare_the_collector() -> None:
    """What is here at the start stays, and what a request makes is freed by its reference counts."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


class Reloader:
    """Loads the configuration anew and swaps it in, or says why the running one stays."""

    def __init__(self, gateway: Gateway, config: Path) -> None:
        self._gateway = gateway
        self._config = config
        self._refused: Mapping[str, str] = {}

    def digests(self) -> Mapping[str, str]:
        """The files to watch: those of the running configuration, and those of one that was refused."""
        return {**self._refused, **self._gateway.settings.source.digests}

    async def files_changed(self, changed: tuple[str, ...]) -> None:
        """Some of the files have new contents."""
        _log.info("configuration changed", files=list(changed))
        self.reload()

    async def on_signal(self, hang_up: asyncio.Event) -> None:
        """Reload, and open the logs anew, at each SIGHUP."""
        while True:
            await hang_up.wait()
            hang_up.clear()
            self._gateway.reopen_logs()
            self.reload()

    def reload(self) -> bool:
        """Whether the new configuration runs now."""
        gateway = self._gateway
        try:
            settings = load(self._config, os.environ)
            self._refused = settings.source.digests  # until it runs: the repair may be made in a file it brought along
            if kept := restart_only(gateway.settings, settings):
                return self._refuse(f"{', '.join(kept)} can only change with a restart")
            gateway.reload(settings)
        except SettingsErrors as errors:
            self._refused = errors.digests
            return self._refuse(str(errors))
        except (RuleErrors, ValueError, OSError) as error:
            return self._refuse(str(error))
        self._refused = {}
        gateway.metrics.config_reloads["applied",] += 1
        _log.info("reloaded", plans=len(settings.plans), rules=len(settings.rules))
        return True

    def _refuse(self, reason: str) -> bool:
        self._gateway.metrics.config_reloads["refused",] += 1
        _log.error("reload refused, the old configuration goes on", reason=reason)
        return False
