"""What a client that leaves has paid, what a WebSocket costs, and where a refund goes when time has passed (2.9)."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.clock import now_us as real_now_us
from gateway.demo.data import ALICE
from tests.e2e.costs import OK, OTHER, USER, WORKSPACE, plays, says, scene, told, until
from tests.e2e.wire import request, send
from tests.fakes.upstream import Conversation

COST, LEFT = b"X-Weighbridge-Cost", b"X-RateLimit-Remaining"
UPGRADE = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))
MINUTE_US = 60_000_000
OTHER_RULE = "  - {method: ANY, path: /y, weight: 3}\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Upstream:
    """Says when a request has arrived; answers with ``wires`` one after the other when told to go on."""

    def __init__(self, *wires: bytes) -> None:
        self._wires = list(wires)
        self.arrived = asyncio.Event()
        self.go_on = asyncio.Event()
        self.seen = 0

    async def __call__(self, talk: Conversation) -> None:
        while self._wires:
            await talk.head()
            self.seen += 1
            self.arrived.set()
            await self.go_on.wait()
            await talk.send(self._wires.pop(0))
        await talk.rest()


@pytest.mark.parametrize(
    ("rule", "cost"), [("", 3), ("refund_on: [499]", 0), ("charge: on_success", 0), ("refund_on: [500]", 3)]
)
async def test_a_client_that_leaves_after_its_request_was_sent_has_paid(tmp_path: Path, rule: str, cost: int) -> None:
    up = Upstream(OK)
    async with scene(tmp_path, plays(up), rule=rule) as here:
        client = await here.connect()
        await client.send(here.wire())
        await up.arrived.wait()
        client.reset()
        await here.quiet()
    assert here.spent == ({WORKSPACE: cost} if cost else {})
    line = json.loads((tmp_path / "access.log").read_text())
    assert (line["status"], line["client_left"], line["cost"]) == (499, True, {"throughput": 3})
    assert line["outcome"] == ("charged" if cost else "refunded")


@pytest.mark.parametrize("rule", ["", "refund_on: [499]", "charge: on_success"])
async def test_a_client_that_leaves_in_the_middle_of_its_answer_has_paid(tmp_path: Path, rule: str) -> None:
    async with scene(tmp_path, says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), rule=rule) as here:
        client = await here.connect()
        await client.send(here.wire(("Content-Length", "1"), method="POST"))
        assert told(await client.head(), COST) == b"3"
        client.reset()
        await here.quiet()
    assert here.spent == {WORKSPACE: 3}


async def test_a_client_that_leaves_in_the_middle_of_its_upload_has_paid(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.exactly(3)
        arrived.set()
        await talk.until_lost()

    async with scene(tmp_path, plays(script)) as here:
        client = await here.connect()
        await client.send(here.wire(("Content-Length", "9"), method="POST") + b"abc")
        await arrived.wait()
        client.reset()
        await here.quiet()
    assert here.spent == {WORKSPACE: 3}


async def test_a_client_that_leaves_while_it_waits_for_a_connection_pays_nothing(tmp_path: Path) -> None:
    up = Upstream(OK, OK)
    async with scene(tmp_path, plays(up), more="max_connections: 1") as here:
        first, second = await here.connect(), await here.connect()
        await first.send(here.wire(user=ALICE, workspace=None))
        await up.arrived.wait()
        await second.send(here.wire())
        # Debited, and in line for the one connection there may be.
        await until(lambda: here.here.gateway.metrics.units["ANY /x", "throughput", "workspace"] == 3)
        second.reset()
        # What came before this was answered has been noticed, the reset as well.
        assert (await send(here.here.url, request(b"/-/health/live"))).status == 200
        up.go_on.set()
        assert (await first.rest()).startswith(b"HTTP/1.1 200 ")
        await here.quiet()
        assert up.seen == 1
    assert here.spent == {OTHER: 3}


SOCKETS = {
    "opened": (SWITCH, "", 3),
    "opened where success is charged": (SWITCH, "charge: on_success", 3),
    "refused": (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "", 3),
    "refused where that is free": (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "refund_on: [403]", 0),
    "refused where success is charged": (b"HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n", "charge: on_success", 0),
    "answered by a page": (OK, "charge: on_success", 3),
    "answered by nonsense": (b"what?\r\n\r\n", "", 3),
}


@pytest.mark.parametrize(("wire", "rule", "cost"), SOCKETS.values(), ids=SOCKETS)
async def test_a_handshake_is_charged_by_its_answer(tmp_path: Path, wire: bytes, rule: str, cost: int) -> None:
    async with scene(tmp_path, says(wire), rule=rule) as here:
        client = await here.connect()
        await client.send(here.wire(*UPGRADE).replace(b"Connection: close\r\n", b""))
        head = await client.head()
        status = wire.split(b" ")[1] if wire.startswith(b"HTTP/") else b"502"
        assert head.startswith(b"HTTP/1.1 " + status)
        assert (told(head, COST), told(head, LEFT)) == (b"%d" % cost, b"%d" % (10 - cost))
    assert here.spent == ({WORKSPACE: cost} if cost else {})


@pytest.mark.parametrize("leaver", ["client", "upstream"])
async def test_however_a_websocket_ends_its_handshake_was_charged_once(tmp_path: Path, leaver: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(SWITCH)
        await talk.exactly(4)
        if leaver == "upstream":
            talk.reset()
        await talk.until_lost()

    async with scene(tmp_path, plays(script), rule="refund_on: [499, 502]") as here:
        client = await here.connect()
        await client.send(here.wire(*UPGRADE).replace(b"Connection: close\r\n", b""))
        await client.head()
        await client.send(b"ping")
        if leaver == "upstream":
            await client.rest()
        client.reset()
        await here.quiet()
    assert here.spent == {WORKSPACE: 3}


class Clock:
    """The time that requests arrive and are settled at: a little ahead, so that no window of the test is over yet."""

    def __init__(self) -> None:
        now_us = real_now_us()
        self.now_us = now_us - now_us % MINUTE_US + 10 * MINUTE_US

    def __call__(self) -> int:
        return self.now_us


@pytest.mark.parametrize("later_us", [MINUTE_US - 1, MINUTE_US], ids=["within the window", "after its end"])
async def test_a_refund_goes_to_the_window_that_paid_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later_us: int
) -> None:
    """A window that is over takes nothing back: else failing requests would carry budget into the next one."""
    clock = Clock()
    monkeypatch.setattr("gateway.proxy.handler.now_us", clock)
    slow_came, go_on = asyncio.Event(), asyncio.Event()

    async def script(talk: Conversation) -> None:
        if b" /y " in await talk.head():
            await talk.send(OK)
            return
        slow_came.set()
        await go_on.wait()
        await talk.send(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    async with scene(tmp_path, plays(script), rule="refund_on: [503]", window=60, extra=OTHER_RULE) as here:

        async def left_after_another() -> bytes | None:
            client = await here.connect()
            await client.send(here.wire(workspace=None).replace(b" /x ", b" /y "))
            return told(await client.rest(), LEFT)

        slow = await here.connect()
        await slow.send(here.wire(workspace=None))
        await slow_came.wait()
        clock.now_us += later_us
        assert await left_after_another() == (b"4" if later_us < MINUTE_US else b"7")
        go_on.set()
        assert told(await slow.rest(), COST) == b"0"
        await here.quiet()
        # Three went back where there was something to give back to, and not a unit more than that.
        assert await left_after_another() == b"4"
    assert here.spent == {USER: 6}
    used = 6 if later_us < MINUTE_US else 9  # in both windows
    assert here.used[USER] == used
