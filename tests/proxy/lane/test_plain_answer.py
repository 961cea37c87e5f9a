"""Which answers are plain, and that what is not leaves nothing behind."""

import pytest

from gateway.proxy.plain_answer import AnswerReader

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nnew"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


@pytest.mark.parametrize("cut", range(1, len(CREATED)))
def test_half_an_answer_behind_an_interim_one_leaves_nothing_behind(cut: int) -> None:
    reader = AnswerReader()
    assert reader.read(HINTS + CREATED[:cut]) == 0
    assert reader.read(PLAIN) == 200
    assert (reader.body, reader.behind) == (2, b"\r\nok")


@pytest.mark.parametrize("size", range(1, len(CREATED)))
def test_half_an_answer_leaves_nothing_behind(size: int) -> None:
    reader = AnswerReader()
    assert reader.read(CREATED[:size]) == 0
    assert reader.read(PLAIN) == 200


@pytest.mark.parametrize(
    "wire",
    [
        PLAIN + CREATED,
        PLAIN + b"x",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nok",
    ],
)
def test_what_has_to_be_thought_about_is_not_plain(wire: bytes) -> None:
    assert AnswerReader().read(wire) == 0


HEADS = [
    (b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", False, 204),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", False, 304),
    (b"HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n\r\n", False, 304),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", True, 200),
    (b"HTTP/1.1 200 OK\r\n\r\n", True, 200),
    (b"HTTP/1.1 204 No Content\r\n\r\n", True, 204),
]
NOT_HEADS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\n\r\n", False),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", False),
    (b"HTTP/1.1 204 No Content\r\n\r\nx", False),
    (b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n", False),
    (b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", False),
    (b"HTTP/1.1 304 Not Modified\r\nX: 1\r\nX: 2\r\n\r\n", False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
    (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", True),
    (b"HTTP/1.1 103 Early Hints\r\n\r\n", True),
    (b"HTTP/1.0 200 OK\r\n\r\n", True),
    (b"\r\n\r\n", True),
]


@pytest.mark.parametrize(("wire", "head_only", "status"), HEADS)
def test_a_head_without_a_body_is_plain_and_leaves_nothing_behind(wire: bytes, head_only: bool, status: int) -> None:  # noqa: FBT001
    reader = AnswerReader()
    assert reader.read_bodiless(wire, head_only=head_only) == status
    assert reader.head + reader.behind == wire.replace(b"Connection: keep-alive\r\n", b"")
    assert (reader.body, reader.behind) == (0, b"\r\n")
    assert reader.read(PLAIN) == 200


@pytest.mark.parametrize(("wire", "head_only"), NOT_HEADS)
def test_what_could_have_a_body_is_not_such_a_head(wire: bytes, head_only: bool) -> None:  # noqa: FBT001
    reader = AnswerReader()
    assert reader.read_bodiless(wire, head_only=head_only) == 0
    assert reader.read(PLAIN) == 200


def test_a_head_that_was_plain_for_head_is_not_plain_for_get() -> None:
    reader, wire = AnswerReader(), b"HTTP/1.1 200 OK\r\nX-Only-Here: 1\r\n\r\n"
    assert reader.read_bodiless(wire, head_only=True) == 200
    assert reader.read(wire) == 0
