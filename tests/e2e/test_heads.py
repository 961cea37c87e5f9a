"""The heads that go upstream: no longer than it reads, and asking plainly where the answer is looked through."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.demo.backend import MAX_HEAD
from gateway.demo.data import BOB
from tests.e2e.preset import preset
from tests.e2e.shapes import shape
from tests.e2e.wire import request, send
from tests.e2e.world import PLANS, World, world

FITTED = f'include: ["upstream.yaml"]\n{PLANS.replace("throughput_limit: 10,", "throughput_limit: 0,")}'
LOOKED_THROUGH = f"""{PLANS}rules:
  - {{method: ANY, path: /echo, strip_json: [password]}}
"""


def upstream_file(folder: Path, more: str) -> None:
    (folder / "upstream.yaml").write_text(f"upstream: {{head_bytes: {MAX_HEAD}B{more}}}\n")


def arrived(here: World) -> tuple[int, set[str]]:
    """How long the last head was at the upstream, and the names of its fields."""
    seen = here.backend.requests[-1]
    line = len(f"{seen.method} {seen.raw_path} HTTP/1.1\r\n")
    size = line + sum(len(name) + len(value) + len(": \r\n") for name, value in seen.headers) + len("\r\n")
    return size, {name.lower() for name, _ in seen.headers}


@pytest.mark.parametrize("more", ["", ", forwarded: none"], ids=["x-forwarded", "none"])
async def test_what_is_only_ours_to_say_gives_way_to_what_the_client_says(tmp_path: Path, more: str) -> None:
    upstream_file(tmp_path, more)
    async with world(tmp_path, FITTED) as here:
        ours = []
        for pad in range(MAX_HEAD - 620, MAX_HEAD - 200, 3):
            wire = request(b"/echo", [*here.headers(BOB).items(), ("X-Pad", "x" * pad)])
            answer = await send(here.url, wire)
            if answer.status == 431:
                assert shape(answer, "wacraft")["code"] == "head_too_large"
                ours.append("431")
                continue
            size, names = arrived(here)
            assert (answer.status, size <= MAX_HEAD) == (200, True)
            assert ("x-forwarded-for" in names) is not bool(more)
            ours.append(" ".join(sorted(names & {"via", "x-request-id"})))
        assert list(dict.fromkeys(ours)) == ["via x-request-id", "via", "", "431"]
        assert ours == sorted(ours, key=["via x-request-id", "via", "", "431"].index)


async def test_a_head_that_the_upstream_reads_directly_passes_through_the_gateway(tmp_path: Path) -> None:
    upstream_file(tmp_path, ", forwarded: none")
    async with world(tmp_path, FITTED) as here:
        direct = here.gateway.settings.upstream.addresses[0]
        for pad in range(MAX_HEAD - 420, MAX_HEAD - 330, 3):
            wire = request(b"/echo", [*here.headers(BOB).items(), ("X-Pad", "x" * pad)])
            if (await send(direct, wire)).status == 200:
                assert (await send(here.url, wire)).status == 200


@pytest.mark.parametrize("room", [0, 1, 30, 60, 120])
async def test_a_head_as_long_as_the_upstream_reads_passes_whatever_the_gateway_would_add(
    tmp_path: Path, room: int
) -> None:
    async with preset(tmp_path) as here:
        fields = [*here.headers(BOB).items(), ("X-Pad", "")]
        wire = request(b"/user/me", fields).replace(b"Connection: close\r\n", b"")
        wire = wire.replace(b"X-Pad: ", b"X-Pad: " + b"x" * (MAX_HEAD - room - len(wire)))
        assert len(wire) == MAX_HEAD - room
        reader, writer = await asyncio.open_connection(*urlsplit(here.url).netloc.split(":"))
        for expected in (b"HTTP/1.1 200 OK", b"HTTP/1.1 431 Request Header Fields Too Large"):
            writer.write(wire)
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert answer.startswith(expected)
            length = re.search(rb"Content-Length: (\d+)", answer)
            assert length is not None
            assert b"$2a$" not in await reader.readexactly(int(length[1]))
            wire = wire.replace(b"X-Pad: ", b"X-Pad: " + b"x" * (room + 1))
        writer.close()
        assert arrived(here)[0] <= MAX_HEAD


async def test_a_head_too_long_for_the_upstream_costs_nothing_and_does_not_arrive(tmp_path: Path) -> None:
    upstream_file(tmp_path, "")
    async with world(tmp_path, FITTED) as here:
        answer = await send(here.url, request(b"/echo", [*here.headers(BOB).items(), ("X-Pad", "x" * MAX_HEAD)]))
        assert answer.status == 431
        assert (sum(here.gateway.metrics.units.values()), len(here.backend.requests)) == (0, 0)


@pytest.mark.parametrize("said", [[("Accept-Encoding", "gzip, br")], [("accept_encoding", "gzip")], []])
async def test_an_answer_to_look_through_is_asked_for_plainly_and_whole(
    tmp_path: Path, said: list[tuple[str, str]]
) -> None:
    async with world(tmp_path, LOOKED_THROUGH) as here:
        asks = [*here.headers(BOB).items(), *said, ("Range", "bytes=0-9"), ("If-Range", '"a"')]
        assert (await send(here.url, request(b"/echo", asks))).status == 200
        fields = [(name.lower().replace("_", "-"), value) for name, value in here.backend.requests[-1].headers]
        assert [value for name, value in fields if name == "accept-encoding"] == ["identity"]
        assert not {"range", "if-range"} & {name for name, _ in fields}


async def test_other_answers_are_asked_for_as_the_client_asks(tmp_path: Path) -> None:
    async with world(tmp_path, LOOKED_THROUGH) as here:
        asks = [*here.headers(BOB).items(), ("Accept-Encoding", "gzip, br"), ("Range", "bytes=0-9")]
        assert (await send(here.url, request(b"/echo/x", asks))).status == 200
        seen = dict(here.backend.requests[-1].headers)
        assert (seen["Accept-Encoding"], seen["Range"]) == ("gzip, br", "bytes=0-9")
