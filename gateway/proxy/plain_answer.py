"""Answers that come whole in one read: their heads go on almost as they are. ``response_parser`` reads any other."""

import re
from typing import NamedTuple

import httptools

from gateway.core.hop_by_hop import HOP_BY_HOP, RawHeaders, key_of
from gateway.core.rate_limit_fields import TELL_OF_BUDGETS

_START = re.compile(rb"HTTP/1\.1 [0-9]{3} [\t\x20-\x7e\x80-\xff]*\r\n")
_HEAD_END = b"\r\n\r\n"
_SHORTEST_FINAL, _LARGEST = 200, 600
_BODILESS = frozenset({204, 304})
_REMEMBERED_NAMES = 4_096

# What a field is to the fast lane.
_PASSES, REQUEST_ID, ALLOW_ORIGIN, OURS, _LENGTH, _CONNECTION, _NOT_PLAIN = 0, 1, 2, 4, 8, 9, 10
_MEANINGS = {
    **dict.fromkeys(HOP_BY_HOP | {b"trailer"}, _NOT_PLAIN),
    **dict.fromkeys(TELL_OF_BUDGETS, OURS),
    b"content-length": _LENGTH,
    b"connection": _CONNECTION,
    b"x-request-id": REQUEST_ID,
    b"access-control-allow-origin": ALLOW_ORIGIN,
}
_known: dict[bytes, int] = {}
_made = tuple.__new__  # a NamedTuple by its fields, without the call in between


class PlainAnswer(NamedTuple):
    """``head``: with the last line's end, less what is for one connection only; ``behind``: the empty line, the body.

    ``body``: its length. ``noted``: which of ``REQUEST_ID``, ``ALLOW_ORIGIN`` and ``OURS`` (it tells of budgets of its
    own) are among its fields.
    """

    status: int
    head: bytes
    behind: bytes
    body: int
    noted: int


class AnswerReader:
    """llhttp for one upstream connection's plain answers."""

    __slots__ = ("_begun", "_ended", "_fields", "_llhttp")

    def __init__(self) -> None:
        self._llhttp = httptools.HttpResponseParser(self)
        self._fields: RawHeaders = []
        self._begun = self._ended = 0

    def on_message_begin(self) -> None:
        """An answer begins."""
        self._begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field."""
        self._fields.append((name, value))

    def on_message_complete(self) -> None:
        """An answer is whole."""
        self._ended += 1

    def read(self, data: bytes) -> PlainAnswer | None:
        """The one answer that ``data`` holds from end to end; ``None``: it may be anything else."""
        self._fields, self._begun, self._ended = [], 0, 0
        end = data.find(_HEAD_END)
        if end > 0 and _START.match(data):
            try:
                self._llhttp.feed_data(data)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade):
                self._ended = 0
            # Half of a second one (behind a 1xx) must not stay in llhttp: it would take what comes next for its rest.
            if self._begun == self._ended == 1:
                return self._plain(data, end)
        self._llhttp = httptools.HttpResponseParser(self)
        return None

    def _plain(self, data: bytes, end: int) -> PlainAnswer | None:
        status, head, length, noted = self._llhttp.get_status_code(), data[: end + 2], -1, 0
        for name, value in self._fields:
            meaning = _known.get(name)
            if meaning is None:
                meaning = _learn(name)
            if meaning <= OURS:
                noted |= meaning
            elif meaning == _LENGTH and length < 0 and value.isdigit():
                length = int(value)
            elif meaning == _CONNECTION and (cut := _without(head, name, value)):
                head = cut
            else:
                return None
        body = len(data) - end - len(_HEAD_END)
        if length != body or status in _BODILESS or not _SHORTEST_FINAL <= status < _LARGEST:
            return None
        return _made(PlainAnswer, (status, head, data[end + 2 :], body, noted))


def _without(head: bytes, name: bytes, value: bytes) -> bytes:
    """A head without its ``Connection: keep-alive``; empty: it says something else, or says it in another way."""
    cut = head.replace(b"\r\n%b: %b\r\n" % (name, value), b"\r\n", 1)
    return cut if len(cut) < len(head) and value.lower() == b"keep-alive" else b""


def _learn(name: bytes) -> int:
    key = key_of(name)
    meaning = _MEANINGS.get(key, _PASSES)
    if meaning in {_LENGTH, _CONNECTION} and b"_" in name:
        meaning = _NOT_PLAIN
    if len(_known) >= _REMEMBERED_NAMES:
        _known.clear()
    _known[name] = meaning
    return meaning
