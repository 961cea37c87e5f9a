"""Several workers on one machine: they share the sockets, and whoever dies is started again.

The sockets are bound here and inherited, so a connection that waits to be accepted waits for all workers: none is lost
when one of them ends. A worker ends by itself when the supervisor is gone.
"""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from pathlib import Path

from gateway import log, transport
from gateway.proxy.site import Place, bound_sockets, shown
from gateway.server import StartError
from gateway.settings.models import Settings
from gateway.tasks import Tasks
from gateway.workers import orphans
from gateway.workers.worker import Worker

FIRST_S, LAST_S = 0.1, 10.0
"""How long a worker that died is waited with, more each time; one that lived for ``WELL_S`` starts anew at once."""
WELL_S = 30.0
_GRACE_S = 10.0
_COMMAND = (sys.executable, "-c", "from gateway.cli import main; main()", "serve", "--config")

_log = log.get_logger(__name__)


def workers_of(settings: Settings) -> int:
    """How many processes serve."""
    return len(os.sched_getaffinity(0)) if settings.workers == "auto" else settings.workers


def orphaned(settings: Settings) -> list[str]:
    """What is to be said of journals that no process opens any more."""
    shared = settings.ledger.shared and settings.ledger.path is not None
    found = orphans.warning(Path(settings.ledger.path or ""), workers_of(settings)) if shared else None
    return [] if found is None else [found]


class Slot:
    """One worker's place: the process in it, and whether it serves."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: Process | None = None
        self.serves = asyncio.Event()
        self.renewed = False
        self.reloads = False
        """Whether it is to reload as soon as it serves."""

    def hang_up(self) -> None:
        """Let it reload. One that starts cannot bear SIGHUP yet, and may have read the old configuration already."""
        if self.serves.is_set():
            self.send(signal.SIGHUP)
        else:
            self.reloads = True

    def serve(self) -> None:
        """It serves now, and hears signals."""
        self.serves.set()
        if self.reloads:
            self.send(signal.SIGHUP)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if there is a process."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)


class Supervisor:
    """Starts workers, keeps them, ends them. ``count`` is more than one."""

    def __init__(self, config: Path, settings: Settings, count: int) -> None:
        self._config, self._settings = config, settings
        self._slots = [Slot(number) for number in range(1, count + 1)]
        self._tasks = Tasks()
        self._ending = asyncio.Event()
        self._failed = asyncio.Event()
        self._listen: list[socket.socket] = []
        self._metrics: list[socket.socket] = []
        self._leash: tuple[int, int] = (-1, -1)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises ``StartError``.

        SIGHUP: each worker reloads. SIGUSR2: each is replaced, one after the other.
        """
        stop, renew = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGUSR2, renew.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        place, own = transport.main_place(self._settings, None), transport.metrics_place(self._settings)
        with tempfile.TemporaryDirectory(prefix="weighbridge-") as folder:
            try:
                self._listen = await _bound(place, "listen")
                self._metrics = [] if own is None else await _bound(own, "metrics.listen")
                self._leash = os.pipe()
                await self._serve(Path(folder), place, stop, renew)
            finally:
                self._let_go(place, own)

    async def _serve(self, folder: Path, place: Place, stop: asyncio.Event, renew: asyncio.Event) -> None:
        for slot in self._slots:
            self._tasks.start(self._keep(slot, folder), f"worker {slot.number}")
        stopped = self._tasks.start(stop.wait(), "stop")
        failed = self._tasks.start(self._failed.wait(), "a worker that cannot start")
        ready = self._tasks.start(self._all_serve(), "all workers serve")
        await asyncio.wait({stopped, failed, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            scheme = "http" if self._settings.tls is None else "https"
            urls = [f"{scheme}://{shown(each.getsockname())}" for each in self._listen if place.path is None]
            _log.info("listening", urls=urls or [str(place)], workers=len(self._slots))
            self._tasks.start(self._renew_on(renew), "replace workers")
            await stopped
        await self._end()
        if self._failed.is_set():
            raise StartError("a worker could not start; the reason stands above")

    async def _all_serve(self) -> None:
        for slot in self._slots:
            await slot.serves.wait()

    async def _keep(self, slot: Slot, folder: Path) -> None:
        pause_s, first = FIRST_S, True
        while not self._ending.is_set():
            started_s = time.monotonic()
            served, reason = await self._live(slot, folder)
            if self._ending.is_set():
                return
            if first and not served:
                _log.error("a worker cannot start", worker=slot.number, reason=reason)
                self._failed.set()
                return
            first = False
            if slot.renewed and served:
                slot.renewed, pause_s = False, FIRST_S
                continue
            lived_s = time.monotonic() - started_s
            pause_s = FIRST_S if lived_s > WELL_S else pause_s
            _log.error("a worker died and is started again", worker=slot.number, reason=reason, in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LAST_S)

    async def _live(self, slot: Slot, folder: Path) -> tuple[bool, str]:
        """One life of a slot's worker: whether it served, and how it ended, or why it could not begin."""
        try:
            served = await self._start(slot, folder)
        except OSError as error:  # no process, no descriptor, no memory to be had: that may pass
            return False, f"it cannot be started: {error.strerror or error}"
        assert slot.process is not None  # noqa: S101  (for the types)
        code = await slot.process.wait()
        slot.serves.clear()
        return served, f"exit code {code}"

    async def _start(self, slot: Slot, folder: Path) -> bool:
        """Start the worker of a slot; whether it serves. Raises ``OSError``."""
        told, tells = os.pipe()
        fds = [tuple(each.fileno() for each in sockets) for sockets in (self._listen, self._metrics)]
        worker = Worker(slot.number, len(self._slots), fds[0], fds[1], folder, self._leash[0], tells)
        worker.socket.unlink(missing_ok=True)
        slot.reloads = False  # it reads what is there from now on
        try:
            slot.process = await asyncio.create_subprocess_exec(
                *_COMMAND,
                str(self._config),
                env={**os.environ, **worker.environment},
                pass_fds=worker.descriptors,
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends them in order
            )
        except OSError:
            os.close(told)
            raise
        finally:
            os.close(tells)
        said = await asyncio.get_running_loop().run_in_executor(None, os.read, told, 16)
        os.close(told)
        if said:
            slot.serve()
        return bool(said)

    async def _renew_on(self, renew: asyncio.Event) -> None:
        while True:
            await renew.wait()
            renew.clear()
            for slot in self._slots:
                await slot.serves.wait()
                _log.info("a worker is replaced", worker=slot.number)
                slot.renewed = True
                slot.serves.clear()
                slot.send(signal.SIGTERM)
                await slot.serves.wait()
            _log.info("all workers were replaced")

    def _reload(self) -> None:
        for slot in self._slots:
            slot.hang_up()

    def _to_all(self, number: signal.Signals) -> None:
        for slot in self._slots:
            slot.send(number)

    async def _end(self) -> None:
        """Let every worker finish what it has in hand; kill those that do not come to an end."""
        self._ending.set()
        _log.info("stopping")
        self._to_all(signal.SIGTERM)
        waiting = [slot.process.wait() for slot in self._slots if slot.process is not None]
        try:
            async with asyncio.timeout(self._settings.limits.stop_timeout.seconds + _GRACE_S):
                await asyncio.gather(*waiting)
        except TimeoutError:
            self._to_all(signal.SIGKILL)
        await self._tasks.close()
        _log.info("stopped")

    def _let_go(self, *places: Place | None) -> None:
        for number in self._leash:
            if number >= 0:
                os.close(number)
        for each in (*self._listen, *self._metrics):
            each.close()
        for place in places:
            if place is not None and place.path is not None:
                Path(place.path).unlink(missing_ok=True)


async def _bound(place: Place, key: str) -> list[socket.socket]:
    try:
        sockets = await bound_sockets(place)
        for each in sockets:
            each.listen(1024)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartError(f"cannot listen on {place}: {reason}; free the address or change `{key}`") from error
    return sockets


async def supervise(config: Path, settings: Settings, count: int) -> None:
    """Run ``count`` workers until SIGTERM or SIGINT. Raises ``StartError``."""
    await Supervisor(config, settings, count).run()
