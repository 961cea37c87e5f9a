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
