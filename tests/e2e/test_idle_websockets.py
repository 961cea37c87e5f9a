"""A thousand WebSockets that nobody uses: what they cost a gateway's own process, and that it can end them all."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.core.frames import CLOSE
from gateway.demo.backend import Backend
from gateway.demo.data import BOB
from tests.core.test_frames import frame, reader, whole
from tests.e2e.served import configure, served
from tests.e2e.world import SECRET
from tests.fakes.upstream import Conversation, upstream

SOCKETS = 1_000
KIB = 1024
ROOM = 40 * KIB
"""Of memory for each: two connections and what is known of who came."""
IDLE_S = 3.0
SHARE = 0.1
"""Of one core, for looking after all of them."""
YAML = """\
workspace: {membership: trust_clients}
defaults: {user: free, workspace: null}
plans: [{slug: free, throughput_limit: 100000, window_seconds: 3600}]
rules: [{method: GET, path: /weighed, frame_weight: 1, max_age: 1h}]
"""
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def memory(pid: int) -> int:
    """What the process has in memory, in bytes."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * KIB


def worked(pid: int) -> float:
    """Seconds that the process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def opened(url: str, path: str, token: str) -> Conversation:
    """A client behind its handshake."""
    parts = urlsplit(url)
    client = Conversation(*await asyncio.open_connection(parts.hostname, parts.port))
    await client.send(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Authorization: Bearer {token}\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    return client


async def told(client: Conversation) -> int:
    """The code with which the gateway closes; answers it."""
    ((found, payload, _),) = whole(reader(from_client=False).feed(await client.reader.read(200)))
    assert found.opcode == CLOSE
    await client.send(frame(CLOSE, payload[:2]))
    return int.from_bytes(payload[:2], "big")


@pytest.mark.parametrize("path", ["/plain", "/weighed"])
async def test_a_thousand_idle_ones_are_cheap_and_all_are_told_when_the_gateway_stops(
    tmp_path: Path, path: str
) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(SWITCH)
        await talk.rest()

    token = Backend(jwt_secret=SECRET).token(BOB)
    async with upstream(script) as up, asyncio.timeout(90):
        configure(tmp_path, up.url, YAML)
        async with served(tmp_path) as here:
            clients = [await opened(here.url, path, token) for _ in range(20)]  # what all of them share
            before = memory(here.process.pid)
            while len(clients) < SOCKETS + 20:
                clients += await asyncio.gather(*(opened(here.url, path, token) for _ in range(50)))
            each = (memory(here.process.pid) - before) / SOCKETS
            loop = asyncio.get_running_loop()
            began, computed = loop.time(), worked(here.process.pid)
            await asyncio.sleep(IDLE_S)
            share = (worked(here.process.pid) - computed) / (loop.time() - began)
            print(f"{path}: {each / KIB:.1f} KiB each, {share:.1%} of a core for all")
            here.send(signal.SIGTERM)
            assert set(await asyncio.gather(*map(told, clients))) == {1001}
            assert await asyncio.wait_for(here.process.wait(), 30) == 0
            for client in clients:
                client.reset()
    assert each < ROOM
    assert share < SHARE
