"""Requests that come whole in one read and need no thought: what the fast lane takes.

llhttp reads them, as on the reference path; what it or this page does not find plain is not judged here at all, but
read again there, from the same bytes.
"""

import httptools

from gateway.core.hop_by_hop import HOP_BY_HOP, RawHeaders, key_of
from gateway.core.max_forwards import KEY as MAX_FORWARDS
from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.request_parser import HOST

HEAD_END = b"\r\n\r\n"
_REMEMBERED_NAMES = 4_096
_LONGEST_LENGTH = 18

# What a field is to the fast lane.
_PASSES, _HOST, _LENGTH, _CONNECTION, _ORIGIN, _SPECIAL, _NOT_PLAIN = range(7)
_MEANINGS = {
    **dict.fromkeys(HOP_BY_HOP | {b"expect", b"trailer", MAX_FORWARDS}, _NOT_PLAIN),
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"connection": _CONNECTION,
    b"origin": _ORIGIN,
}


class FieldBook:
    """What fields mean where ``special`` ones (their keys) say who asks, or do not go on. Learns spellings, bounded."""

    __slots__ = ("_known", "_special", "passing")

    def __init__(self, special: frozenset[bytes]) -> None:
        self._special = special
        self._known: dict[bytes, int] = {}
        self.passing: set[bytes] = set()
        """Names, as they are spelled, of fields that mean nothing and go on as they came."""

    def meaning(self, name: bytes) -> int:
        """What a field called ``name`` is."""
        return self._known.get(name) or self._learn(name)

    def _learn(self, name: bytes) -> int:
        key = key_of(name)
        found = _MEANINGS.get(key)
        if found is None:
            found = _SPECIAL if key in self._special else _PASSES
        elif b"_" in name:
            found = _NOT_PLAIN
        if len(self._known) + len(self.passing) >= _REMEMBERED_NAMES:
            self._known.clear()
            self.passing.clear()
        if found:
            self._known[name] = found
        else:
            self.passing.add(name)
        return found


class Framing:
    """What the fields with a meaning say. ``special``: those that say who asks, or do not go on."""

    __slots__ = ("cross_origin", "host", "named_connection", "special")

    def __init__(self) -> None:
        self.host = b""
        self.cross_origin = self.named_connection = False
        self.special: RawHeaders = []


class PlainReader:
    """llhttp for one client's plain requests. After ``read``: ``fields`` and ``target`` as they came."""

    __slots__ = ("_begun", "_ended", "_host", "_limits", "_llhttp", "fields", "target")

    def __init__(self, limits: ClientLimits) -> None:
        self._limits = limits
        self._llhttp = httptools.HttpRequestParser(self)
        self._begun = self._ended = 0
        self._host = b""
        self.fields: RawHeaders = []
        self.target = b""

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        """The target."""
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field."""
        self.fields.append((name, value))

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._ended += 1

    @property
    def method(self) -> bytes:
        """Of the request that was read."""
        method: bytes = self._llhttp.get_method()
        return method

    def read(self, data: bytes) -> int:
        """How long the head is, without the empty line, of the one request that ``data`` holds from end to end.

        0: it may be anything else.
        """
        end = data.find(HEAD_END)
        if not 0 < end <= self._limits.head.size:
            return 0
        self.fields, self._begun, self._ended = [], 0, 0
        try:
            self._llhttp.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._ended = 0
        # Half of a second one must not stay in llhttp: it would take what comes next for the rest of that.
        if self._begun == self._ended == 1 and len(self.fields) <= self._limits.head.fields:
            return end + 2
        self._llhttp = httptools.HttpRequestParser(self)
        return 0

    def framing(self, book: FieldBook, body: int) -> Framing | None:
        """What the fields say of a request with ``body`` bytes behind its head; ``None``: it is not plain."""
        framing, passing, length = Framing(), book.passing, -1
        for field in [field for field in self.fields if field[0] not in passing]:
            name, value = field
            meaning = book.meaning(name)
            if meaning == _SPECIAL and value == value.rstrip(b" \t"):
                framing.special.append(field)
            elif meaning == _HOST and not framing.host and (value == self._host or HOST.fullmatch(value)):
                framing.host = self._host = value
            elif meaning == _LENGTH and length < 0 and value.isdigit() and len(value) <= _LONGEST_LENGTH:
                length = int(value)
            elif meaning == _CONNECTION and not framing.named_connection and value.lower() == b"keep-alive":
                framing.named_connection = True
            elif meaning == _ORIGIN:
                framing.cross_origin = True
            elif meaning != _PASSES:
                return None
        if not framing.host or max(length, 0) != body or body > self._limits.body:
            return None
        return framing
