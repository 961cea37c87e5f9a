import hashlib
import io

import aiohttp
import pytest

from gateway.demo.aids import CHUNK
from tests.demo.wire import head, send


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND", "PURGE", "TRACE"])
async def test_the_echo_shows_what_arrived_for_every_method(client: aiohttp.ClientSession, method: str) -> None:
    async with client.request(method, "/Echo/x//y?q=%41", headers={"X-A": "1", "x-b": "2"}, data=b"abc") as response:
        shown = await response.json()
    assert (shown["method"], shown["raw_path"], shown["version"]) == (method, "/Echo/x//y?q=A", "1.1")
    assert [pair for pair in shown["headers"] if pair[0].lower() in {"x-a", "x-b"}] == [["X-A", "1"], ["x-b", "2"]]
    assert (shown["body_bytes"], shown["body_sha256"]) == (3, hashlib.sha256(b"abc").hexdigest())


async def test_the_echo_shows_raw_targets_and_odd_bytes(url: str) -> None:
    answered = await send(url, b"GET /echo/%2e%2E//a HTTP/1.1\r\nHost: x\r\nX-V: v\xe9\r\nX-W: \xc3\xa9\r\n\r\n")
    assert b'"/echo/%2e%2E//a"' in answered.body
    assert '["X-V","vé"],["X-W","é"]'.encode() in answered.body


async def test_compressed_bodies_arrive_as_they_are(client: aiohttp.ClientSession) -> None:
    raw = b"\x1f\x8b not really gzip"
    async with client.post("/sink", data=raw, headers={"Content-Encoding": "gzip"}) as response:
        assert await response.json() == {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


async def test_the_sink_takes_more_than_the_backends_routes_do(client: aiohttp.ClientSession) -> None:
    size = 20 * 1024 * 1024
    async with client.put("/sink", data=io.BytesIO(bytes(size))) as response:
        assert (await response.json())["bytes"] == size


@pytest.mark.parametrize("size", [0, 1, len(CHUNK), len(CHUNK) + 1, 1_000_003])
@pytest.mark.parametrize("query", ["", "?chunked=1"])
async def test_bytes_are_as_many_as_asked_for(client: aiohttp.ClientSession, size: int, query: str) -> None:
    async with client.get(f"/bytes/{size}{query}") as response:
        body = await response.read()
        assert response.headers.get("Content-Length") == (None if query else str(size))
    assert len(body) == size
    assert body == (CHUNK * (size // len(CHUNK) + 1))[:size]


async def test_head_of_bytes_has_the_length_and_no_body(client: aiohttp.ClientSession) -> None:
    async with client.head("/bytes/1000000000000") as response:
        assert (response.headers["Content-Length"], await response.read()) == ("1000000000000", b"")


async def test_events_come_one_by_one(client: aiohttp.ClientSession) -> None:
    async with client.get("/sse?n=3&every_ms=20") as response:
        assert response.content_type == "text/event-stream"
        chunks = [chunk async for chunk, _ in response.content.iter_chunks()]
    assert chunks == [f"id: {i}\ndata: event {i}\n\n".encode() for i in range(3)]


@pytest.mark.parametrize("code", [200, 204, 304, 404, 418, 500, 503, 599])
async def test_any_final_status_can_be_had(client: aiohttp.ClientSession, code: int) -> None:
    async with client.post(f"/status-code/{code}", data=b"x") as response:
        assert response.status == code


@pytest.mark.parametrize(
    "path", ["/status-code/101", "/status-code/x", "/bytes/-1", "/slow/x", "/sse?n=x", "/bytes/" + "9" * 40]
)
async def test_numbers_that_make_no_sense_are_400(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 400


async def test_a_slow_answer_is_still_an_answer(url: str) -> None:
    assert (await send(url, head("GET", "/slow/5"))).body == b'{"slept_ms":5}'
