"""Routes for tests and trials that wacraft lacks: they show what arrived and behave on demand.

=======================  ===========================================================================================
``/echo``, ``/echo/**``   any method: what arrived as JSON (method, raw target, headers in order, body size and SHA-256)
``/sse?n=5&every_ms=100`` ``n`` server-sent events, one every so many milliseconds
``/bytes/:n``             ``n`` bytes, streamed; with ``?chunked=1`` without Content-Length
``/slow/:ms``             200 after so many milliseconds
``/status-code/:code``    an answer of that status (200 to 599)
``/sink``                 takes a body of any size, streaming, and says how much it was
=======================  ===========================================================================================

They ask for no credential. Their router is the backend's, so spellings reach them as they reach the others.
"""

import asyncio
import hashlib
import string
from collections.abc import AsyncIterator
from http import HTTPStatus

from aiohttp import web

from gateway.demo.exchange import Call, Handler, Served, answer, text
from gateway.demo.router import ANY, Router

CHUNK = bytes(range(256)) * 256
"""What ``/bytes`` repeats: 64 KiB, so the byte at offset ``i`` is ``i % 256``."""

_MAX_NUMBER = 10**13


def add_aids(router: Router[Served]) -> None:
    """All routes of this module, for every method."""
    routes: dict[str, Handler] = {
        "/echo/**": _echo,
        "/sse": _sse,
        "/bytes/:n": _bytes,
        "/slow/:ms": _slow,
        "/status-code/:code": _status,
        "/sink": _sink,
    }
    for pattern, handler in routes.items():
        router.add(ANY, pattern, Served(handler, streams=True))


async def _echo(call: Call) -> web.StreamResponse:
    size, digest = await _drain(call)
    return answer(
        {
            "method": call.request.method,
            "raw_path": _text(call.seen.raw_path),
            "version": f"{call.request.version.major}.{call.request.version.minor}",
            "headers": [[_text(name), _text(value)] for name, value in call.seen.headers],
            "body_bytes": size,
            "body_sha256": digest,
        }
    )


async def _sse(call: Call) -> web.StreamResponse:
    count, every_ms = _number(call.query.get("n", "5")), _number(call.query.get("every_ms", "100"))
    if count is None or every_ms is None:
        return text(400, "n and every_ms are whole numbers")

    async def events() -> AsyncIterator[bytes]:
        for number in range(count):
            if number:
                await asyncio.sleep(every_ms / 1000)
            yield f"id: {number}\ndata: event {number}\n\n".encode()

    return await _stream(call, events(), {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})


async def _bytes(call: Call) -> web.StreamResponse:
    size = _number(call.params["n"])
    if size is None:
        return text(400, "n is a whole number")

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, size, len(CHUNK)):
            yield CHUNK if size - start >= len(CHUNK) else CHUNK[: size - start]

    headers = {"Content-Type": "application/octet-stream"}
    if "chunked" not in call.query:
        headers["Content-Length"] = str(size)
    return await _stream(call, chunks(), headers)


async def _slow(call: Call) -> web.StreamResponse:
    delay_ms = _number(call.params["ms"])
    if delay_ms is None:
        return text(400, "ms is a whole number")
    await _drain(call)
    await asyncio.sleep(delay_ms / 1000)
    return answer({"slept_ms": delay_ms})


async def _status(call: Call) -> web.StreamResponse:
    code = _number(call.params["code"])
    if code is None or not HTTPStatus.OK <= code <= 599:  # noqa: PLR2004  (RFC 9110, 15)
        return text(400, "code is a status from 200 to 599")
    await _drain(call)
    if code in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return web.Response(status=code)
    return answer({"status": code}, code)


async def _sink(call: Call) -> web.StreamResponse:
    size, digest = await _drain(call)
    return answer({"bytes": size, "sha256": digest})


async def _drain(call: Call) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    async for chunk in call.request.content.iter_any():
        size += len(chunk)
        digest.update(chunk)
    return size, digest.hexdigest()


async def _stream(call: Call, chunks: AsyncIterator[bytes], headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers | dict(call.cors))
    await response.prepare(call.request)
    if call.request.method != "HEAD":
        async for chunk in chunks:
            await response.write(chunk)
    return response


def _number(value: str) -> int | None:
    digits = value and not value.strip(string.digits)
    return int(value) if digits and len(value) < len(str(_MAX_NUMBER)) else None


def _text(value: str) -> str:
    """``value`` as JSON can carry it: UTF-8, or if it is none, each byte as its Latin-1 character."""
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
