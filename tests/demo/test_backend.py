import asyncio

import aiohttp
import pytest

from gateway.demo.backend import MAX_HEAD, Backend
from gateway.demo.cors import EXPOSED
from gateway.demo.data import ACME, ALICE
from tests.demo.conftest import Headers
from tests.demo.wire import head, read, send


@pytest.mark.parametrize(
    "target",
    [
        "/contact",
        "/CONTACT",
        "/contact//",
        "/contact?limit=1",
        "http://anything/Contact/",
        "//x/contact?u=a://b",
        "/contact#x",
    ],
)
async def test_all_spellings_of_one_path_reach_one_handler(
    url: str, backend: Backend, signed: Headers, target: str
) -> None:
    for method in ("GET", "HEAD"):
        answered = await send(url, head(method, target, **signed()) if method == "GET" else head(method, target))
        assert answered.status == (200 if method == "GET" else 400)
        assert (backend.requests[-1].handler, backend.requests[-1].raw_path) == ("GET /contact", target)


@pytest.mark.parametrize(
    "target",
    [
        "/%63ontact",
        "//contact",
        "/./contact",
        "/x/../contact",
        "/contact%2f",
        "/contact;x",
        "/contact\\",
    ],
)
async def test_what_is_spelled_otherwise_is_not_found_and_shown_raw(url: str, backend: Backend, target: str) -> None:
    answered = await send(url, head("GET", target))
    assert answered.status == 404
    assert answered.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answered.body.decode() == f"Cannot GET {target}"
    assert (backend.requests[-1].raw_path, backend.requests[-1].handler) == (target, "")


async def test_a_target_with_bytes_beyond_ascii_reaches_no_handler(url: str, backend: Backend) -> None:
    assert (await send(url, head("GET", "/cont\xe4ct"))).status == 400
    assert not backend.requests


async def test_a_path_is_escaped_in_the_404(url: str) -> None:
    assert (await send(url, head("GET", "/<b>&'?x"))).body == b"Cannot GET /&lt;b&gt;&amp;&#39;"


async def test_a_wrong_method_is_plain_text_405_and_an_unknown_one_400(url: str) -> None:
    answered = await send(url, head("PATCH", "/Contact/"))
    assert (answered.status, answered.body) == (405, b"Method Not Allowed")
    assert answered.headers["Allow"] == "DELETE, GET, HEAD, POST, PUT"
    assert (await send(url, head("PROPFIND", "/contact"))).body == b"Invalid http method"
    assert (await send(url, head("OPTIONS", "*"))).status == 404


@pytest.mark.parametrize("target", ["/user/me", "/nowhere", "/echo"])
async def test_a_head_of_4096_bytes_passes_and_one_byte_more_is_431(url: str, target: str) -> None:
    room = MAX_HEAD - len(head("GET", target, X=""))
    assert (await send(url, head("GET", target, X="x" * room))).status != 431
    answered = await send(url, head("GET", target, X="x" * (room + 1)))
    assert (answered.status, answered.closed) == (431, True)
    assert answered.body == b"Request Header Fields Too Large"


@pytest.mark.parametrize("filler", [{"X": "x" * 600_000}, {f"X{i}": "" for i in range(900)}, {"X" * 300_000: ""}])
async def test_a_huge_head_is_431_too(url: str, filler: dict[str, str]) -> None:
    assert (await send(url, head("GET", "/user/me", **filler))).status == 431


async def test_what_is_no_http_is_a_plain_400_and_quoted_nowhere(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    answered = await send(url, b"GET /user/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer se\x00cret\r\n\r\n")
    assert (answered.status, answered.body) == (400, b"Bad Request")
    assert "cret" not in "".join(capsys.readouterr())


async def test_a_bug_is_a_plain_500_and_quoted_nowhere(
    url: str, backend: Backend, signed: Headers, capsys: pytest.CaptureFixture[str]
) -> None:
    del backend.world.contacts[ACME.id]
    answered = await send(url, head("GET", "/contact", **signed()))
    assert (answered.status, answered.body) == (500, b"Internal Server Error")
    shown = "".join(capsys.readouterr())
    assert "KeyError" in shown
    assert "Bearer" not in shown


@pytest.mark.parametrize(
    "request_bytes",
    [
        head("POST", "/sink", Content_Length="9") + b"abc",
        head("POST", "/contact", Content_Length="9") + b"abc",
        head("GET", "/sse?n=1000&every_ms=1"),
        head("GET", "/bytes/1000000000000"),
    ],
)
async def test_a_client_that_leaves_is_noted_and_nothing_is_complained_of(
    url: str, backend: Backend, capsys: pytest.CaptureFixture[str], request_bytes: bytes
) -> None:
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(request_bytes)
    async with asyncio.timeout(5):
        await backend.until(lambda: len(backend.requests) == 1)
        writer.transport.abort()
        await backend.until(lambda: backend.requests[-1].status is not None)
    assert backend.requests[-1].status == 499
    assert "".join(capsys.readouterr()) == ""


@pytest.mark.parametrize("path", ["/contact", "/sink"])
async def test_a_body_that_turns_out_malformed_is_a_plain_400(url: str, backend: Backend, path: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head("POST", path, Transfer_Encoding="chunked") + b"3\r\nabc\r\n")
    await backend.until(lambda: len(backend.requests) == 1)
    writer.write(b"no length\r\n")
    answered = await asyncio.wait_for(read(reader), 5)
    assert (answered.status, answered.body) == (400, b"Bad Request")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_preflight_is_answered_for_every_path(client: aiohttp.ClientSession) -> None:
    headers = {"Origin": "https://app", "Access-Control-Request-Method": "PUT"}
    wanted = {"Access-Control-Request-Headers": "authorization,x-workspace-id"}
    async with client.options("/nowhere", headers=headers | wanted) as response:
        assert (response.status, await response.read()) == (204, b"")
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Methods"] == "GET,POST,HEAD,PUT,DELETE,PATCH"
        assert response.headers["Access-Control-Allow-Headers"] == "authorization,x-workspace-id"
    async with client.options("/contact", headers={"Origin": "https://app"}) as response:
        assert response.status == 405


@pytest.mark.parametrize("path", ["/user/me", "/nowhere", "/sse?n=1", "/echo"])
async def test_answers_may_be_read_by_every_origin_that_names_itself(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path, headers={"Origin": "https://app"}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Expose-Headers"] == EXPOSED
    async with client.get(path) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_request_log_keeps_headers_in_order_with_repeats(url: str, backend: Backend, signed: Headers) -> None:
    request = b"GET /user/me HTTP/1.1\r\nHost: b\r\nX-A: 1\r\nx-b: 2\r\nX-A: 3\r\nAuthorization: %s\r\n\r\n"
    await send(url, request % signed()["Authorization"].encode())
    seen = backend.requests[-1]
    assert seen.headers[:4] == (("Host", "b"), ("X-A", "1"), ("x-b", "2"), ("X-A", "3"))
    assert (seen.method, seen.user, seen.workspace, seen.status) == ("GET", ALICE.id, None, 200)


async def test_who_was_refused_is_not_logged_as_a_user(client: aiohttp.ClientSession, backend: Backend) -> None:
    async with client.get("/user/me", headers={"Authorization": "Bearer x"}):
        pass
    seen = backend.requests[-1]
    assert (seen.handler, seen.user, seen.status) == ("GET /user/me", None, 401)


async def test_a_client_that_waits_is_asked_for_its_body_once(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for path, status in (("/echo", 200), ("/contact", 400)):
        writer.write(head("POST", path, Content_Length="2", Expect="100-continue"))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await read(reader)).status == status
    writer.close()


async def test_pipelined_requests_are_answered_in_order(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head("GET", "/slow/30") + head("GET", "/nowhere") + head("GET", "/status-code/418"))
    assert [(await read(reader)).status for _ in range(3)] == [200, 404, 418]
    writer.close()


async def test_a_port_in_use_is_an_os_error_and_the_backend_can_start_elsewhere(backend: Backend, url: str) -> None:
    second = Backend(jwt_secret="x")
    with pytest.raises(OSError, match="address already in use"):
        await second.start(port=int(url.rsplit(":", 1)[1]))
    assert (await second.start()) != url
    await second.close()
    await second.close()
    assert not backend.requests
