"""The yardstick: the least that is a proxy on aiohttp. Frozen; a test holds its digest.

It streams both ways, keeps alive on both sides, meters nothing and logs nothing.
``python bench/bare_proxy.py PORT http://127.0.0.1:UPSTREAM_PORT``
"""

import asyncio
import sys

import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, hdrs, web
from multidict import CIMultiDict
from yarl import URL

HOP_BY_HOP = ("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade")
ADDED_BY_CLIENT = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE)


def without_hop_by_hop(headers: "CIMultiDict[str]") -> "CIMultiDict[str]":
    for name in HOP_BY_HOP:
        headers.popall(name, None)
    return headers


async def main(port: int, upstream: str) -> None:
    session = ClientSession(
        connector=TCPConnector(limit=0),
        timeout=ClientTimeout(total=None),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=ADDED_BY_CLIENT,
    )

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        async with session.request(
            request.method,
            URL(upstream + request.raw_path, encoded=True),
            headers=without_hop_by_hop(CIMultiDict(request.headers)),
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
        ) as answer:
            headers = without_hop_by_hop(CIMultiDict(answer.headers))
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    runner = web.ServerRunner(web.Server(handle, access_log=None), auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
