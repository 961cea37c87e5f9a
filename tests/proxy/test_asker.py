import asyncio
import gzip
from collections.abc import AsyncIterator
from socket import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.proxy.asker import UpstreamAsker
from gateway.proxy.endpoint import Endpoint
from gateway.proxy.pool import UpstreamPool

BIG = b"x" * 200_000


async def in_pieces(request: web.Request) -> web.StreamResponse:
    status = int(request.query.get("status", "200"))
    answer = web.StreamResponse(
        status=status, headers={"X-Path": request.raw_path, "X-Sent": ",".join(sorted(request.headers))}
    )
    await answer.prepare(request)
    size = int(request.query.get("size", "200000"))
    for start in range(0, size, 1_000):
        await answer.write(BIG[: min(1_000, size - start)])
        await asyncio.sleep(0)
    return answer


async def elsewhere(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/pieces", "Set-Cookie": "a=b"})


async def packed(_: web.Request) -> web.Response:
    return web.Response(status=403, body=gzip.compress(b"no"), headers={"Content-Encoding": "gzip"})


async def reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_get("/reset", reset)
    app.router.add_get("/packed", packed)
    app.router.add_get("/silent", silent)
    app.router.add_get("/elsewhere", elsewhere)
    app.router.add_get("/{rest:.*}", in_pieces)
    running = TestServer(app)
    await running.start_server()
    yield running
    await running.close()


def pool_to(server: TestServer) -> UpstreamPool:
    return UpstreamPool(Endpoint.parse(str(server.make_url("/"))))


@pytest.fixture
async def ask(server: TestServer) -> AsyncIterator[UpstreamAsker]:
    pool = pool_to(server)
    yield UpstreamAsker(pool, 5.0)
    await pool.close()


async def test_an_answer_in_many_pieces_is_read_whole(ask: UpstreamAsker) -> None:
    status, fields, body = await ask(b"/pieces", ((b"Authorization", b"Bearer t"), (b"X-Workspace-ID", b"w")))
    assert (status, body) == (200, BIG)
    assert dict(fields)[b"X-Sent"] == b"Authorization,Host,X-Workspace-ID"


async def test_the_path_goes_out_as_it_is(ask: UpstreamAsker) -> None:
    _, fields, _ = await ask(b"/workspace/..%2Fa%3F", ())
    assert dict(fields)[b"X-Path"] == b"/workspace/..%2Fa%3F"


async def test_a_refusal_that_is_too_long_is_no_answer_and_a_yes_is_one(ask: UpstreamAsker) -> None:
    assert (await ask(b"/pieces?size=400000", ()))[::2] == (200, b"")
    with pytest.raises(OSError, match="too long"):
        await ask(b"/pieces?size=400000&status=403", ())


async def test_a_redirect_is_not_followed_and_no_cookie_kept(ask: UpstreamAsker) -> None:
    assert (await ask(b"/elsewhere", ()))[0] == 302
    _, fields, _ = await ask(b"/pieces", ())
    assert dict(fields)[b"X-Sent"] == b"Host"


async def test_an_upstream_that_resets_or_is_away_is_an_oserror(ask: UpstreamAsker) -> None:
    with pytest.raises(OSError, match="did not answer"):
        await ask(b"/reset", ())
    with socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and nobody listens
        pool = UpstreamPool(Endpoint.parse(f"http://127.0.0.1:{nobody.getsockname()[1]}"))
        away = UpstreamAsker(pool, 5.0)
        with pytest.raises(OSError, match=r".+"):
            await away(b"/", ())
        await pool.close()


async def test_the_gateways_own_fields_go_along_where_the_caller_does_not_say_them(server: TestServer) -> None:
    own = ((b"X-Gate", b"1"), (b"authorization", b"Bearer ours"))
    pool = pool_to(server)
    asker = UpstreamAsker(pool, 5.0, own)
    _, fields, _ = await asker(b"/pieces", [(b"Authorization", b"Bearer theirs")])
    assert dict(fields)[b"X-Sent"] == b"Authorization,Host,X-Gate"
    await pool.close()


async def test_an_upstream_that_says_nothing_is_a_timeout(server: TestServer) -> None:
    pool = pool_to(server)
    asker = UpstreamAsker(pool, 0.05)
    with pytest.raises(TimeoutError):
        await asker(b"/silent", ())
    await pool.close()


async def test_a_packed_answer_stays_packed(ask: UpstreamAsker) -> None:
    status, fields, body = await ask(b"/packed", ())
    assert (status, dict(fields)[b"Content-Encoding"], gzip.decompress(body)) == (403, b"gzip", b"no")
