"""Uploads and downloads of any size in constant memory: measured on a gateway's own process, not on its buffers."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.demo.backend import Backend
from gateway.demo.data import BOB
from tests.e2e.world import PLANS, SECRET, settings
from tests.e2e.zygote import Zygote, zygote

MIB = 2**20
SIZE = 96 * MIB
ROOM = 16 * MIB
"""More than the buffers of a few connections, far less than a body."""
STUCK = 40

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def peak(pid: int) -> int:
    """The most memory the process ever had, in bytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def port_of(pid: int) -> int | None:
    """The port that the process listens on."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            if "socket" in (opened := str(fd.readlink())):
                sockets.add(re.sub(r"\D", "", opened))
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, inode = line.split()[:10]
        if state == "0A" and inode in sockets:
            return int(local.rpartition(":")[2], 16)
    return None


@asynccontextmanager
async def process(folder: Path) -> AsyncIterator[tuple[Zygote, int, str]]:
    """A gateway in a process of its own before a stand-in backend: the process, its port, a token."""
    backend = Backend(jwt_secret=SECRET)
    settings(folder, await backend.start(), PLANS.replace("throughput_limit: 10,", "throughput_limit: 1000,"))
    try:
        async with zygote(folder / "gateway.yaml", {"JWT_SECRET": SECRET}, folder / "errors") as here:
            await here.fork()
            async with asyncio.timeout(30):
                while (port := port_of(here.pid)) is None:
                    await asyncio.sleep(0.01)
            yield here, port, backend.token(BOB)
            assert await here.end(signal.SIGTERM) == 0
    finally:
        await backend.close()


async def ask(port: int, token: str, start: str, *fields: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=MIB)
    head = "\r\n".join([f"{start} HTTP/1.1", "Host: a", f"Authorization: Bearer {token}", *fields, "", ""])
    writer.write(head.encode())
    return reader, writer


async def download(port: int, token: str, query: str = "") -> int:
    """Bytes of a body of ``SIZE``, chunking included."""
    reader, writer = await ask(port, token, f"GET /bytes/{SIZE}{query}", "Connection: close")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    size = 0
    while data := await reader.read(MIB):
        size += len(data)
    writer.close()
    return size


async def upload(port: int, token: str, *, chunked: bool) -> bytes:
    """The answer to a body of ``SIZE``."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {SIZE}"
    reader, writer = await ask(port, token, "PUT /sink", framing, "Connection: close")
    piece = b"%x\r\n%b\r\n" % (MIB, bytes(MIB)) if chunked else bytes(MIB)
    for _ in range(SIZE // MIB):
        writer.write(piece)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
    answer = await reader.read(-1)
    writer.close()
    return answer


async def test_bodies_of_any_size_take_no_memory(tmp_path: Path) -> None:
    async with process(tmp_path) as (here, port, token):
        small = f"GET /bytes/{MIB}"
        reader, writer = await ask(port, token, small, "Connection: close")
        await reader.read(-1)
        writer.close()
        before = peak(here.pid)
        assert await download(port, token) == SIZE
        assert await download(port, token, "?chunked=1") > SIZE
        for chunked in (False, True):
            assert f'"bytes":{SIZE}'.encode() in await upload(port, token, chunked=chunked)
        assert peak(here.pid) - before < ROOM


async def test_clients_that_do_not_read_take_no_more_than_their_buffers(tmp_path: Path) -> None:
    async with process(tmp_path) as (here, port, token):
        before = peak(here.pid)
        stuck = [await ask(port, token, f"GET /bytes/{SIZE}") for _ in range(STUCK)]
        for reader, _ in stuck:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        # Another client's whole download: whatever was on its way to the others has arrived by then.
        assert await download(port, token) == SIZE
        assert peak(here.pid) - before < ROOM + STUCK * MIB // 2
        for _, writer in stuck:
            writer.transport.abort()
