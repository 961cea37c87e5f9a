"""Answers that come whole in one read: their heads go on almost as they are. ``response_parser`` reads any other.

As with requests (``plain_request``) nothing is done a field at a time: what the names say is looked up for all at once.
"""

import re

import httptools

from gateway.core.hop_by_hop import HOP_BY_HOP, key_of
from gateway.core.rate_limit_fields import TELL_OF_BUDGETS
from gateway.proxy.plain_request import Fields
from gateway.proxy.response_parser import ResponseHead

_START = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [\t\x20-\x7e\x80-\xff]*")
_HEAD_END = b"\r\n\r\n"
_SHORTEST_FINAL, _LARGEST = 200, 600
_NO_CONTENT = 204
BODILESS = frozenset({_NO_CONTENT, 304})
"""Statuses of answers without a body, whatever their fields say."""
_REMEMBERED = 4_096
_LONGEST = 4_096

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


class _Shape:
    """What the names of an answer's fields say. ``length``: empty: no field. ``noted``: see ``AnswerReader``."""

    __slots__ = ("connection", "length", "noted")

    def __init__(self, length: bytes, connection: bytes | None, noted: int) -> None:
        self.length = length
        self.connection = connection
        self.noted = noted


_shapes: dict[tuple[bytes, ...], _Shape | None] = {}
_shapes_without_length: dict[tuple[bytes, ...], _Shape | None] = {}
_statuses: dict[bytes, int] = {}
"""Statuses by their lines; less than 0: of one without a body; 0: such a line is not plain."""


class _Into:
    """What llhttp tells: only the fields, straight into a dict."""

    __slots__ = ("on_header",)

    def __init__(self, fields: dict[bytes, bytes]) -> None:
        self.on_header = fields.__setitem__


class AnswerReader:
    """llhttp for one upstream connection's plain answers. After ``read`` has found one, its parts are here.

    ``head``: with the last line's end, less what is for one connection only; ``behind``: the empty line, the body.
    ``body``: its length. ``noted``: which of ``REQUEST_ID``, ``ALLOW_ORIGIN`` and ``OURS`` (it tells of budgets of its
    own) are among its fields.
    """

    __slots__ = ("_feed", "_fields", "behind", "body", "head", "noted")

    def __init__(self) -> None:
        self.head = self.behind = b""
        self.body = self.noted = 0
        self._renew()

    def _renew(self) -> None:
        self._fields: dict[bytes, bytes] = {}
        self._feed = httptools.HttpResponseParser(_Into(self._fields)).feed_data

    def read(self, data: bytes) -> int:
        """The status of the one answer that ``data`` holds from end to end; 0: it may be anything else."""
        end, fields = data.find(_HEAD_END), self._fields
        line = data[: data.find(b"\r\n")]
        status = _statuses.get(line) or _learn_status(line)
        if end <= 0 or status <= 0:
            self._renew()
            return 0
        fields.clear()
        try:
            self._feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._renew()
            return 0
        names = tuple(fields)
        try:
            shape = _shapes[names]
        except KeyError:
            shape = _learn(names, _shapes)
        if shape is not None and data.count(b"\r\n", 0, end) == len(names):
            length, self.body = fields[shape.length], len(data) - end - 4
            if length.isdigit() and int(length) == self.body:
                self.head, self.behind, self.noted = data[: end + 2], data[end + 2 :], shape.noted
                if shape.connection is None or self._cut(shape.connection, fields):
                    return status
        # Half of an answer must not stay in llhttp: it would take what comes next for its rest.
        self._renew()
        return 0

    def read_bodiless(self, data: bytes, *, head_only: bool) -> int:
        """``read`` for an answer that is a head and nothing else: to HEAD (``head_only``), 204, 304.

        By a reader of its own: llhttp does not know what was asked, and would wait for a body.
        """
        end = len(data) - len(_HEAD_END)
        if data.find(_HEAD_END) != end or end <= 0:
            return 0
        line = data[: data.find(b"\r\n")]
        status = _statuses.get(line) or _learn_status(line)
        if not status or (status > 0 and not head_only):
            return 0
        fields: dict[bytes, bytes] = {}
        try:
            httptools.HttpResponseParser(_Into(fields)).feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return 0
        names, status = tuple(fields), abs(status)
        known = _shapes_without_length  # those with a length are in there as well
        shape = known[names] if names in known else _learn(names, known)
        if shape is None or data.count(b"\r\n", 0, end) != len(names) or (shape.length and status == _NO_CONTENT):
            return 0
        self.head, self.behind, self.body, self.noted = data[: end + 2], data[end + 2 :], 0, shape.noted
        return status if shape.connection is None or self._cut(shape.connection, fields) else 0

    def _cut(self, name: bytes, fields: dict[bytes, bytes]) -> bool:
        """Take ``Connection: keep-alive`` out of the head; ``False``: it says something else, or in another way."""
        head, value = self.head, fields[name]
        self.head = head.replace(b"\r\n%b: %b\r\n" % (name, value), b"\r\n", 1)
        return len(self.head) < len(head) and value.lower() == b"keep-alive"


def head_of(head: bytes, status: int, *, bodiless: bool) -> ResponseHead:
    """What an ``AnswerReader`` has found, as ``response_parser`` would say it, but for its framing."""
    fields = Fields()
    httptools.HttpResponseParser(fields).feed_data(head + b"\r\n")
    reason = head[len(b"HTTP/1.1 200 ") : head.find(b"\r\n")]
    return ResponseHead(status, reason, fields.found, [key_of(name) for name, _ in fields.found], bodiless=bodiless)


def _learn_status(line: bytes) -> int:
    """What ``_statuses`` has for a status line."""
    found = _START.fullmatch(line)
    status = 0 if found is None else int(found[1])
    if not _SHORTEST_FINAL <= status < _LARGEST:
        return 0
    status = -status if status in BODILESS else status
    if len(line) <= _LONGEST:
        if len(_statuses) >= _REMEMBERED:
            _statuses.clear()
        _statuses[line] = status
    return status


def _learn(names: tuple[bytes, ...], known: dict[tuple[bytes, ...], _Shape | None]) -> _Shape | None:
    """What these names say, kept in ``known``; ``None``: such an answer is not plain."""
    meanings = [_meaning(name) for name in names]
    lengths = meanings.count(_LENGTH)
    plain = lengths == 1 or (lengths == 0 and known is _shapes_without_length)
    plain = plain and meanings.count(_CONNECTION) <= 1 and _NOT_PLAIN not in meanings
    shape = None
    if plain:
        noted = 0
        for meaning in meanings:
            noted |= meaning if meaning <= OURS else 0
        connection = names[meanings.index(_CONNECTION)] if _CONNECTION in meanings else None
        shape = _Shape(names[meanings.index(_LENGTH)] if lengths else b"", connection, noted)
    if sum(map(len, names)) <= _LONGEST:
        if len(known) >= _REMEMBERED:
            known.clear()
        known[names] = shape
    return shape


def _meaning(name: bytes) -> int:
    key = key_of(name)
    meaning = _MEANINGS.get(key, _PASSES)
    return _NOT_PLAIN if meaning in {_LENGTH, _CONNECTION} and b"_" in name else meaning
