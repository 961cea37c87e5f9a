"""A process that has imported the gateway once and forks a fresh gateway for each life: a start costs milliseconds.

Run as ``python -m tests.e2e.zygote CONFIG``. It reads a line and forks; writes ``born PID``, then ``died CODE``. A life
is what ``weighbridge serve`` runs, signal handlers and all; nothing of one life is left in the next but its files.
"""

import asyncio
import os
import select
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import uvloop

import gateway.catalog.shop  # noqa: F401  (a start imports it where there is a store)
from gateway import log
from gateway.server import serve
from gateway.settings.load import load
from gateway.settings.models import Settings

ROOT = Path(__file__).parents[2]


class Zygote:
    """The test's side: start lives, kill them."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._said, self._hears = process, process.stdout, process.stdin
        self.pid = 0

    async def fork(self) -> None:
        """Start a gateway; it may not listen yet."""
        self._hears.write(b"go\n")
        word, number = (await self._said.readline()).split()
        assert word == b"born"
        self.pid = int(number)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the running gateway a signal and wait until it is gone; its exit code (minus the signal's number)."""
        os.kill(self.pid, number)
        word, code = (await self._said.readline()).split()
        assert word == b"died"
        return int(code)


@asynccontextmanager
async def zygote(config: Path, environment: Mapping[str, str], errors: Path) -> AsyncIterator[Zygote]:
    """A zygote for ``config``. What its gateways say goes to the file ``errors``."""
    with errors.open("ab") as file:
        command = (sys.executable, "-m", "tests.e2e.zygote", str(config))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=file, cwd=ROOT, env={**os.environ, **environment}
        )
    here = Zygote(process)
    try:
        yield here
    finally:
        here._hears.close()
        await process.wait()


def _main() -> None:
    config = Path(sys.argv[1])
    settings = load(config, os.environ)
    log.configure(settings.log.level, "json")
    hears, says = sys.stdin.buffer, sys.stdout.buffer
    while hears.readline():
        pid = os.fork()
        if pid == 0:
            _live(config, settings)
        _say(says, f"born {pid}")
        watched = os.pidfd_open(pid)
        if watched not in select.select([hears, watched], [], [])[0]:
            os.kill(pid, signal.SIGKILL)  # the test has ended in the middle of a life
        os.close(watched)
        _, status = os.waitpid(pid, 0)
        _say(says, f"died {os.waitstatus_to_exitcode(status)}")


def _say(says: BinaryIO, line: str) -> None:
    try:
        says.write(line.encode() + b"\n")
        says.flush()
    except BrokenPipeError:
        os._exit(1)


def _live(config: Path, settings: Settings) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    code = 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(config, settings))
        code = 0
    except Exception as error:  # noqa: BLE001  (the life ends here, whatever it was)
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


if __name__ == "__main__":
    _main()
