"""What a WebSocket's client says, message by message, and what goes on of it."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.frame_match import FrameMatch
from gateway.core.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT
from gateway.metering.visit import Visit
from gateway.proxy.gate import CONTROLS, Gate
from gateway.proxy.way import Goodbye, Way
from gateway.tasks import Tasks
from tests.core.test_frames import cut, frame

SEND = FrameMatch(texts=("send",))
EMPTY = Goodbye(4429, "The budget is used up.")


class Tunnel:
    """What a gate needs of a tunnel. ``went``: to the upstream."""

    def __init__(self) -> None:
        self.went = bytearray()
        self.up = Way(self.went.extend)
        self.goodbye: Goodbye | None = None
        self.gate: Gate | None = None
        self.opened = 0

    def say_goodbye(self, goodbye: Goodbye) -> None:
        self.goodbye = self.goodbye or goodbye
        assert self.gate is not None
        self.gate.close()

    def gate_open(self) -> None:
        self.opened += 1


class Payer:
    """Pays ``budget`` messages. ``purse``: a payment waits for it. ``told``: what became of each."""

    def __init__(self, budget: int = 1_000) -> None:
        self.budget = budget
        self.purse = asyncio.Event()
        self.purse.set()
        self.asked = 0
        self.told: list[str] = []

    async def pay(self) -> Visit | Goodbye:
        self.asked += 1
        await self.purse.wait()
        self.budget -= 1
        return EMPTY if self.budget < 0 else cast("Visit", "a visit")

    def passed(self, _visit: Visit) -> None:
        self.told.append("passed")

    async def dropped(self, _visit: Visit) -> None:
        self.told.append("dropped")


class Fixture:
    def __init__(self, match: FrameMatch | None = None, *, budget: int = 1_000, extended: bool = False) -> None:
        self.tunnel, self.payer, self.tasks = Tunnel(), Payer(budget), Tasks()
        self.second = 0.0
        self.gate = Gate(
            cast("Any", self.tunnel), match, self.payer, self.tasks, extended=extended, now=lambda: self.second
        )
        self.tunnel.gate = self.gate

    async def take(self, *frames: bytes) -> bytes:
        """Let these come; what has gone on since the last time."""
        before = len(self.tunnel.went)
        for each in frames:
            self.gate.take(each)
        while len(self.tasks):
            await asyncio.sleep(0)
        return bytes(self.tunnel.went[before:])


async def test_each_message_is_paid_once_and_passes_as_it_came() -> None:
    here = Fixture()
    wire = [
        frame(TEXT, b"one"),
        frame(BINARY, b"t", fin=False) + frame(PING, b"!") + frame(CONTINUATION, b"wo"),
        frame(TEXT, b"three", rsv=0),
    ]
    assert await here.take(*wire) == b"".join(wire)
    assert here.payer.told == ["passed"] * 3


async def test_a_message_goes_on_only_once_it_is_paid() -> None:
    here = Fixture()
    here.payer.purse.clear()
    here.gate.take(frame(TEXT, b"one") + frame(PING))
    for _ in range(5):
        await asyncio.sleep(0)
    assert (here.payer.asked, here.gate.busy, bytes(here.tunnel.went)) == (1, True, b"")
    here.payer.purse.set()
    assert await here.take() == frame(TEXT, b"one") + frame(PING)
    assert (here.gate.busy, here.tunnel.opened) == (False, 1)


async def test_what_nobody_can_pay_is_not_passed_on_nor_anything_behind_it() -> None:
    here = Fixture(budget=1)
    assert await here.take(frame(TEXT, b"one") + frame(TEXT, b"two") + frame(TEXT, b"three")) == frame(TEXT, b"one")
    assert here.tunnel.goodbye == EMPTY
    assert here.payer.asked == 2
    assert await here.take(frame(PING), frame(TEXT, b"four")) == b""


async def test_only_what_matches_is_paid() -> None:
    here = Fixture(SEND)
    wire = [frame(TEXT, b"ping"), frame(TEXT, b"send"), frame(BINARY, b"Send "), frame(TEXT, b"sending")]
    assert await here.take(*wire) == b"".join(wire)
    assert here.payer.asked == 2


async def test_a_message_is_held_until_it_can_be_told_and_control_frames_are_not() -> None:
    here = Fixture(SEND, budget=0)
    assert await here.take(frame(TEXT, b"se", fin=False), frame(PING, b"?")) == frame(PING, b"?")
    assert await here.take(frame(CONTINUATION, b"cret", fin=False)) == (
        frame(TEXT, b"se", fin=False) + frame(CONTINUATION, b"cret", fin=False)
    )
    assert await here.take(frame(CONTINUATION, b"s")) == frame(CONTINUATION, b"s")
    assert await here.take(frame(TEXT, b"s", fin=False), frame(CONTINUATION, b"end")) == b""
    assert here.tunnel.goodbye == EMPTY


async def test_a_huge_message_streams_through() -> None:
    here = Fixture()
    wire = frame(BINARY, bytes(1_000_000))
    for start in range(0, len(wire), 50_000):
        assert await here.take(wire[start : start + 50_000]) == wire[start : start + 50_000]
    assert here.payer.asked == 1


async def test_a_huge_message_that_does_not_match_streams_through_unpaid() -> None:
    here = Fixture(SEND)
    wire = frame(TEXT, b"x" * 1_000_000)
    for start in range(0, len(wire), 50_000):
        assert await here.take(wire[start : start + 50_000]) == wire[start : start + 50_000]
    assert here.payer.asked == 0


@pytest.mark.parametrize("filler", [b"", b" "], ids=["of nothing", "of spaces"])
async def test_endless_fragments_are_not_held_for_ever(filler: bytes) -> None:
    here = Fixture(SEND)
    here.payer.purse.clear()
    here.gate.take(frame(TEXT, fin=False))
    fragment = frame(CONTINUATION, filler, fin=False)
    while not here.payer.asked:
        here.gate.take(fragment * 100)
        await asyncio.sleep(0)
        assert len(here.gate._held) < 20_000
    here.payer.purse.set()
    await here.take()
    assert here.payer.told == ["passed"]


async def test_a_client_that_says_more_than_is_paid_is_not_read() -> None:
    here = Fixture()
    here.payer.purse.clear()
    full = []
    for wire in (frame(TEXT, b"one"), frame(BINARY, bytes(70_000))):
        here.gate.take(wire)
        full.append(here.gate.full)
    here.payer.purse.set()
    await here.take()
    assert [*full, here.gate.full] == [False, True, False]


async def steps(here: Fixture) -> list[int]:
    """How many bytes go on between two turns of everybody else, until all has gone."""
    found, before = [], 0
    while True:
        found.append(len(here.tunnel.went) - before)
        before += found[-1]
        if not here.gate.busy:
            return found
        await asyncio.sleep(0)


NOTHING = frame(CONTINUATION, fin=False)


@pytest.mark.parametrize(
    ("begins", "small", "match", "most"),
    [
        (frame(TEXT, fin=False), NOTHING, None, 256),
        (b"", frame(TEXT, b"x"), SEND, 256),
        (b"", frame(TEXT, b"x"), None, 32),
    ],
    ids=["empty fragments", "messages that cost nothing", "messages that are paid at once"],
)
async def test_a_flood_of_small_frames_leaves_others_their_turns(
    begins: bytes, small: bytes, match: FrameMatch | None, most: int
) -> None:
    here = Fixture(match, budget=1_000_000)
    flood = begins + small * 20_000
    here.gate.take(flood)
    steps_taken = await steps(here)
    assert here.tunnel.went == flood
    assert max(steps_taken) <= most * len(small)
    assert len(steps_taken) >= 20_000 / 256
    assert here.tunnel.opened == 1, "and then the client is read again"


async def test_a_client_whose_flood_waits_is_not_read() -> None:
    here = Fixture(SEND)
    here.gate.take(frame(TEXT, b"x") * 20_000)
    assert here.gate.full
    await steps(here)
    assert not here.gate.full


@pytest.mark.parametrize("small", [NOTHING, frame(PING), frame(TEXT)], ids=["fragments", "pings", "messages"])
async def test_frames_of_nothing_count_while_a_payment_is_waited_for(small: bytes) -> None:
    here = Fixture()
    here.payer.purse.clear()
    here.gate.take(frame(TEXT, b"one", fin=small is not NOTHING))
    taken = 0
    while not here.gate.full:
        here.gate.take(small * 1_000)
        taken += 1_000 * len(small)
        assert taken <= 80 * 1024
    assert here.gate._reader.unread == taken, "bytes as they came, nothing is made of them yet"
    here.gate.close()
    here.payer.purse.set()
    await here.take()
    assert here.payer.told == ["dropped"]


async def test_more_control_frames_than_anybody_needs_close_with_1008() -> None:
    here = Fixture(SEND)
    for second in range(3):
        here.second = float(second)
        assert await here.take(frame(PING) * CONTROLS) == frame(PING) * CONTROLS
    assert here.tunnel.goodbye is None
    assert await here.take(frame(PING) * 10) == b""
    assert here.tunnel.goodbye == Goodbye(1008, "More than 500 control frames in a second.")


async def test_a_close_frame_is_seen_behind_what_is_not_paid_when_we_have_ended_it() -> None:
    here = Fixture()
    here.payer.purse.clear()
    here.gate.take(frame(TEXT, b"one") + frame(TEXT, b"two"))
    here.gate.take(frame(CLOSE)[:1])
    here.gate.close()
    closed = [here.gate.closed]
    here.gate.take(frame(CLOSE)[1:])
    assert [*closed, here.gate.closed] == [False, True]
    here.payer.purse.set()
    assert await here.take() == b""


async def test_a_broken_frame_closes_with_1002_behind_what_was_good() -> None:
    here = Fixture()
    assert await here.take(frame(TEXT, b"one") + frame(TEXT, b"two", mask=b"")) == frame(TEXT, b"one")
    assert here.tunnel.goodbye == Goodbye(1002, "A client's frame must be masked.")
    assert here.payer.asked == 1


async def test_bits_of_an_extension_are_broken_where_none_was_agreed_upon() -> None:
    wire = frame(TEXT, b"\xf2\x48", rsv=4)
    assert await Fixture(extended=True).take(wire) == wire
    here = Fixture()
    assert await here.take(wire) == b""
    assert here.tunnel.goodbye is not None
    assert here.tunnel.goodbye.code == 1002


async def test_nothing_passes_behind_a_close_frame() -> None:
    here = Fixture(budget=0)
    bye = frame(CLOSE, b"\x03\xe8")
    assert await here.take(bye[:3], bye[3:] + frame(TEXT, b"and another thing")) == bye
    assert here.gate.closed
    assert here.payer.asked == 0
    assert here.tunnel.goodbye is None


async def test_a_message_that_is_not_over_when_the_client_leaves_costs_nothing() -> None:
    here = Fixture(SEND)
    bye = frame(CLOSE, b"\x03\xe8")
    assert await here.take(frame(TEXT, b"se", fin=False), bye) == bye
    assert here.payer.asked == 0


async def test_what_was_paid_when_the_tunnel_had_ended_is_given_back() -> None:
    here = Fixture()
    here.payer.purse.clear()
    here.gate.take(frame(TEXT, b"one"))
    await asyncio.sleep(0)
    here.gate.close()
    here.payer.purse.set()
    assert await here.take() == b""
    assert here.payer.told == ["dropped"]


async def test_a_fault_of_ours_closes_with_1011() -> None:
    here = Fixture()

    async def fails() -> Visit:
        raise KeyError

    here.payer.pay = fails  # type: ignore[method-assign]
    assert await here.take(frame(TEXT, b"one")) == b""
    assert here.tunnel.goodbye is not None
    assert here.tunnel.goodbye.code == 1011
    assert not here.gate.busy


texts = st.sampled_from([b"send", b"ping", b"SEND ", b"s", b"", b"sendx", b"x" * 200, b"send" + b" " * 1_500])


@given(st.lists(texts, max_size=6), st.lists(st.integers(0, 100_000), max_size=10), st.integers(1, 4))
def test_however_it_is_cut_the_same_is_paid_and_the_same_goes_on(
    messages: list[bytes], places: Sequence[int], fragments: int
) -> None:
    async def run(parts: Sequence[bytes]) -> tuple[bytes, int]:
        here = Fixture(SEND)
        went = await here.take(*parts)
        return went, here.payer.asked

    wire = b""
    for message in messages:
        size = max(1, -(-len(message) // fragments))
        pieces = [message[start : start + size] for start in range(0, len(message), size)] or [b""]
        for place, piece in enumerate(pieces):
            wire += frame(CONTINUATION if place else TEXT, piece, fin=place == len(pieces) - 1)
    paid = sum(SEND.judge(message, whole=True) is True for message in messages)
    assert asyncio.run(run(cut(wire, places))) == asyncio.run(run([wire])) == (wire, paid)
