from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    FrameEnds,
    FrameReader,
    Piece,
    close_frame,
    masked,
)
from gateway.core.rule import Rule

MASK = b"\x37\xfa\x21\x3d"


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = MASK, form: int | None = None
) -> bytes:
    """A frame; ``form``: how many bytes say the length, where it is not the shortest form."""
    size = len(payload)
    form = form if form is not None else 0 if size < 126 else 2 if size < 65_536 else 8
    short = {0: size, 2: 126, 8: 127}[form]
    head = bytes([(fin << 7) | (rsv << 4) | opcode, (bool(mask) << 7) | short]) + size.to_bytes(form or 1, "big")[:form]
    return head + mask + (masked(payload, mask) if mask else payload)


class Reader(FrameReader):
    """Reads all that comes at once."""

    def feed(self, data: bytes) -> list[Piece]:
        return list(super().feed(data))


def reader(*, extended: bool = False, from_client: bool = True) -> Reader:
    return Reader(from_client=from_client, extended=extended)


def whole(pieces: Iterable[Piece]) -> list[tuple[Frame, bytes, bytes]]:
    """The frames that the pieces make: their plain payload and the bytes as they came."""
    found: list[tuple[Frame, bytes, bytes]] = []
    for piece in pieces:
        if piece.head:
            found.append((piece.frame, piece.plain, piece.wire))
        else:
            known, payload, wire = found[-1]
            assert known is piece.frame
            assert len(payload) == piece.at
            found[-1] = (known, payload + piece.plain, wire + piece.wire)
    return found


def cut(wire: bytes, places: Sequence[int]) -> list[bytes]:
    """``wire`` in parts."""
    ends = sorted({place % (len(wire) + 1) for place in places} | {len(wire)})
    return [wire[start:end] for start, end in zip([0, *ends], ends, strict=False)]


lengths = st.one_of(st.integers(0, 300), st.sampled_from([125, 126, 127, 65_535, 65_536, 70_000]))
masks = st.binary(min_size=4, max_size=4)


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Frames of a well-behaved client: messages, whole or in fragments, with control frames anywhere."""
    frames = []
    for _ in range(draw(st.integers(0, 5))):
        kinds = [draw(st.sampled_from([TEXT, BINARY])), *[CONTINUATION] * draw(st.integers(0, 3))]
        for place, kind in enumerate(kinds):
            if draw(st.booleans()):
                control = draw(st.sampled_from([PING, PONG]))
                frames.append(frame(control, draw(st.binary(max_size=125)), mask=draw(masks)))
            payload = bytes([draw(st.integers(0, 255))]) * draw(lengths)
            frames.append(frame(kind, payload, fin=place == len(kinds) - 1, mask=draw(masks)))
    return frames


cuts = st.lists(st.integers(0, 1_000_000), max_size=12)


@given(conversations(), cuts)
def test_however_bytes_are_cut_the_frames_are_the_same(frames: list[bytes], places: list[int]) -> None:
    wire = b"".join(frames)
    at_once, piecemeal = reader(), reader()
    expected = whole(at_once.feed(wire))
    pieces = [piece for part in cut(wire, places) for piece in piecemeal.feed(part)]
    assert whole(pieces) == expected
    assert [came for _, _, came in expected] == frames
    assert (at_once.fault, piecemeal.fault) == (None, None)


@given(st.binary(max_size=200), cuts, st.fixed_dictionaries({"extended": st.booleans(), "from_client": st.booleans()}))
def test_however_garbage_is_cut_the_fault_is_the_same(wire: bytes, places: list[int], kind: dict[str, bool]) -> None:
    at_once, piecemeal = reader(**kind), reader(**kind)
    expected = whole(at_once.feed(wire))
    assert whole([piece for part in cut(wire, places) for piece in piecemeal.feed(part)]) == expected
    assert at_once.fault == piecemeal.fault


@given(conversations(), cuts)
def test_who_follows_the_ends_of_frames_agrees_with_who_reads_them(frames: list[bytes], places: list[int]) -> None:
    wire = b"".join(frames)
    ends, read = FrameEnds(), reader()
    for part in cut(wire, places):
        ends.follow(part)
        read.feed(part)
        assert ends.between == (not read.unread and read._frame is None)
    assert ends.between
    assert not ends.closed


@given(conversations(), st.integers(0, 1_000_000), cuts)
def test_what_is_left_of_a_frame_goes_by_and_not_a_byte_more(
    frames: list[bytes], place: int, places: list[int]
) -> None:
    wire = b"".join(frames)
    starts = [0]
    for each in frames:
        starts.append(starts[-1] + len(each))
    place %= len(wire) + 1
    next_end = min(start for start in starts if start >= place)
    ends, gone = FrameEnds(), place
    ends.follow(wire[:place])
    for part in cut(wire[place:], places):
        gone += ends.follow_to_end(part)
        if ends.between:
            break
    assert gone == next_end
    assert ends.between
    assert ends.follow_to_end(b"\x81\x00") == 0


def test_a_frame_of_which_only_the_head_has_begun_is_waited_for() -> None:
    ends = FrameEnds()
    ends.follow(b"\x81")
    went = [(ends.follow_to_end(part), ends.between) for part in (b"\x03a", b"bcd")]
    assert went == [(2, False), (2, True)]
    ends.follow(b"\x81")
    assert (ends.follow_to_end(b"\x01ab"), ends.between) == (2, True)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_length_is_said_in_its_shortest_form(size: int) -> None:
    payload = bytes(size)
    ((found, plain, _),) = whole(reader().feed(frame(BINARY, payload)))
    assert (found.fin, found.opcode, found.length, plain) == (True, BINARY, size, payload)


FAULTS = {
    "a reserved opcode": (frame(3), "Opcode 3 is reserved."),
    "a reserved control opcode": (frame(11), "Opcode 11 is reserved."),
    "no mask": (frame(TEXT, b"a", mask=b""), "A client's frame must be masked."),
    "a reserved bit": (frame(TEXT, b"a", rsv=4), "Reserved bits are set, and no extension was agreed upon."),
    "a ping in fragments": (frame(PING, fin=False), "A control frame must be whole, and hold at most 125 bytes."),
    "a long close": (frame(CLOSE, bytes(126)), "A control frame must be whole, and hold at most 125 bytes."),
    "nothing to continue": (frame(CONTINUATION, b"a"), "There is no message to continue."),
    "a message in a message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), "A message is not over."),
    "a long form for 125": (frame(TEXT, bytes(125), form=2), "A length must be in its shortest form, and below 2**63."),
    "the longest form for 65535": (
        frame(TEXT, bytes(65_535), form=8),
        "A length must be in its shortest form, and below 2**63.",
    ),
    "an absurd length": (b"\x82\xff\xff" + bytes(7) + MASK, "A length must be in its shortest form, and below 2**63."),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_no_frame_is_a_fault_and_what_came_before_is_good(case: str) -> None:
    wire, fault = FAULTS[case]
    found = reader()
    good = frame(PING, b"hello")
    pieces = found.feed(good + wire + frame(TEXT, b"after"))
    assert found.fault == fault
    assert whole(pieces)[0][1:] == (b"hello", good)
    assert b"after" not in [plain for _, plain, _ in whole(pieces)]
    assert found.feed(frame(TEXT, b"later")) == []


def test_a_server_does_not_mask() -> None:
    found = reader(from_client=False)
    assert [piece.plain for piece in found.feed(frame(TEXT, b"hi", mask=b""))] == [b"hi"]
    found.feed(frame(TEXT, b"hi"))
    assert found.fault == "A server's frame must not be masked."


def test_an_extension_may_use_reserved_bits() -> None:
    ((found, _, _),) = whole(reader(extended=True).feed(frame(TEXT, b"a", rsv=4)))
    assert found.rsv == 4


def test_a_message_ends_with_its_last_fragment() -> None:
    wire = frame(TEXT, b"one", fin=False) + frame(PING) + frame(CONTINUATION, b"two")
    pieces = reader().feed(wire)
    assert [(piece.frame.control, piece.ends, piece.ends_message) for piece in pieces] == [
        (False, True, False),
        (True, True, True),
        (False, True, True),
    ]


def test_a_huge_frame_is_not_kept() -> None:
    found = reader()
    head = b"\x82\xff" + (1 << 40).to_bytes(8, "big") + MASK
    pieces = found.feed(head + bytes(100))
    assert (pieces[0].frame.length, pieces[0].ends) == (1 << 40, False)
    for _ in range(100):
        (piece,) = found.feed(bytes(1000))
        assert len(piece.wire) == 1000
    assert found.unread == 0


@given(st.binary(max_size=200), masks, st.integers(0, 200))
def test_a_mask_is_taken_off_wherever_one_starts(payload: bytes, mask: bytes, at: int) -> None:
    at %= len(payload) + 1
    expected = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    assert masked(payload, mask) == expected
    assert masked(payload[:at], mask) + masked(payload[at:], mask, at) == expected


def test_a_close_frame_says_code_and_reason() -> None:
    assert close_frame(1008, "no") == b"\x88\x04\x03\xf0no"
    ((found, plain, _),) = whole(reader().feed(close_frame(4429, "no", MASK)))
    assert (found.opcode, found.fin, found.mask, plain) == (CLOSE, True, MASK, b"\x11\x4dno")


@given(st.text(max_size=200))
@example("ü" * 100)
@example("a" + "ü" * 100)
def test_a_reason_that_is_too_long_is_cut_between_characters(reason: str) -> None:
    reason = reason.encode(errors="ignore").decode()
    ((_, plain, _),) = whole(reader(from_client=False).feed(close_frame(1008, reason)))
    said = plain[2:].decode()
    assert reason.startswith(said)
    assert said == reason or len(plain) > 125 - 4


def test_a_close_frame_that_goes_by_is_noticed() -> None:
    ends, wire = FrameEnds(), frame(CLOSE, b"\x03\xe8")
    noticed = []
    for part in (frame(TEXT, b"\x88\x88\x88\x88"), wire[:1], wire[1:]):
        ends.follow(part)
        noticed.append(ends.closed)
    assert noticed == [False, False, True]


@given(conversations(), cuts, st.integers(0, 20))
def test_a_frame_is_read_only_when_it_is_asked_for(frames: list[bytes], places: list[int], asked: int) -> None:
    """Who stops asking knows how much is left, and who follows from there finds the same ends."""
    wire = b"".join(frames)
    lazy = FrameReader(from_client=True, extended=False)
    got = b""
    parts = cut(wire, places)
    for part in parts:
        lazy.feed(part)
    for _ in range(asked):
        piece = lazy.next()
        got += b"" if piece is None else piece.wire
    assert wire.startswith(got)
    assert lazy.unread == len(wire) - len(got)
    ends = lazy.ends()
    assert ends.between
    ends.follow(frame(CLOSE))
    assert ends.closed


def test_a_message_is_paid_before_it_goes_on_whatever_its_request_does() -> None:
    opening = Rule("GET", "/ws", 5, frame_weight=2, charge="on_success", refund_on=frozenset({409}))
    inside = opening.of_frames()
    assert inside is not None
    assert (inside.method, inside.pattern, inside.weight, inside.charge) == ("FRAME", "/ws", 2, "before")
    assert inside.refund_on == frozenset()
    assert inside.of_frames() is None
