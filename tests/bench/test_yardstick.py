"""The bare proxy that the gateway is compared with: is it what the docs say, and still the same?"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer
from yarl import URL

from bench.processes import free_port

BARE = Path(__file__).parents[2] / "bench" / "bare_proxy.py"
DIGEST = "4fef33a8f5a621a7712dc7fb196ea68e750efecfe518d450704779ab38cc7bdf"


def test_the_yardstick_does_not_bend() -> None:
    text = BARE.read_bytes()
    assert sha256(text).hexdigest() == DIGEST, (
        "bench/bare_proxy.py is frozen: old and new figures could not be compared"
    )
    assert text.count(b"\n") <= 60


@asynccontextmanager
async def in_front_of(upstream: RawTestServer) -> AsyncIterator[str]:
    """The bare proxy as the benchmark runs it, and its URL."""
    port = free_port()
    argv = [sys.executable, str(BARE), str(port), f"http://127.0.0.1:{upstream.port}"]
    process = await asyncio.create_subprocess_exec(*argv)
    try:
        async with asyncio.timeout(20):
            while not await _listens(port):
                assert process.returncode is None
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        await asyncio.sleep(0.05)  # it starts in its own time
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_it_streams_both_ways_and_keeps_what_it_forwards() -> None:
    first_half_came = asyncio.Event()
    seen: list[tuple[str, str, str | None, object]] = []

    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.method, request.raw_path, request.headers.get("X-Odd"), request.transport))
        answer = web.StreamResponse(status=203, headers={"X-Back": "yes"})
        await answer.prepare(request)
        async for piece in request.content.iter_any():
            await answer.write(piece)
        return answer

    async def halves() -> AsyncIterator[bytes]:
        yield b"first "
        await first_half_came.wait()  # for ever, if the proxy collected bodies
        yield b"second"

    upstream = RawTestServer(echo)
    async with upstream, in_front_of(upstream) as url, ClientSession() as client, asyncio.timeout(20):
        for _ in range(2):
            first_half_came.clear()
            async with client.put(
                URL(f"{url}/a%2Fb?q=%65", encoded=True), data=halves(), headers={"X-Odd": "1"}
            ) as answer:
                assert (answer.status, answer.headers["X-Back"]) == (203, "yes")
                assert await answer.content.readany() == b"first "
                first_half_came.set()
                assert await answer.read() == b"second"
        assert [entry[:3] for entry in seen] == [("PUT", "/a%2Fb?q=%65", "1")] * 2
        assert seen[0][3] is seen[1][3], "the connection behind was not kept"
