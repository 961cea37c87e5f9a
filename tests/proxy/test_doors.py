"""How a gateway closes where others go on serving."""

import asyncio

from gateway.core.answers import Answer
from gateway.core.problems import Problem
from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.doors import Doors
from gateway.proxy.request import Request
from gateway.proxy.site import Place

ASK = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"


async def answer(request: Request) -> None:
    request.respond(Answer(200, [], b"ok"))


def refuse(problem: Problem) -> Answer:
    return Answer(problem.status, [], b"")


async def said(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(2) == b"ok"
    return head.lower()


async def test_whoever_is_on_a_kept_connection_is_told_before_it_ends() -> None:
    doors = Doors(refuse, ClientLimits(), linger_s=3)
    await doors.open(answer, Place("127.0.0.1", 0), "listen")
    port = int(doors.urls[0].rpartition(":")[2])
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        assert b"connection: close" not in await said(reader)
        closing = asyncio.create_task(doors.close(5))
        while True:
            try:
                _, other = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                break
            other.close()
            await asyncio.sleep(0.01)
        writer.write(ASK)
        assert b"connection: close" in await said(reader), "it is answered, and told that this was the last one"
        assert await reader.read() == b""
        assert not closing.done()
        writer.close()
        await closing
