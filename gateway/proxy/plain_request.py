"""Requests that come whole in one read and need no thought: what the fast lane takes.

llhttp reads them, as on the reference path; what it or this page does not find plain is not judged here at all, but
read again there, from the same bytes. Nothing is done a field at a time: llhttp puts the fields into a dict, and what
their names mean, in their order, is looked up for all of them at once, because few clients differ in it.
"""

from operator import itemgetter

import httptools

from gateway.core.hop_by_hop import HOP_BY_HOP, KEYS, RawHeaders, key_of
from gateway.core.max_forwards import KEY as MAX_FORWARDS
from gateway.proxy.client_connection import ClientLimits

HEAD_END = b"\r\n\r\n"
_REMEMBERED_SHAPES = 4_096
_LONGEST_NAMES = 4_096
_LONGEST_LENGTH = 18

# What a field is to the fast lane.
_PASSES, _HOST, _LENGTH, _CONNECTION, _SPECIAL, _NOT_PLAIN = range(6)
_MEANINGS = {
    **dict.fromkeys(HOP_BY_HOP | {b"expect", b"trailer", MAX_FORWARDS}, _NOT_PLAIN),
    b"host": _HOST,
    b"content-length": _LENGTH,
    b"connection": _CONNECTION,
}


class Shape:
    """What the names of a request's fields say, as they are spelled and in their order.

    ``host``, ``length``, ``connection``: which fields those are, if they are there. ``special``: those that say who
    asks, or do not go on. ``cross_origin``: a browser's script asks. ``pick``: the values of ``host`` and of those that
    are judged, not of those that only do not go on. ``mark``: what tells these names from others. ``preflight``: they
    are those of a CORS preflight (Fetch, 4.8).
    """

    __slots__ = ("connection", "cross_origin", "host", "length", "mark", "names", "pick", "preflight", "special")

    def __init__(self, names: tuple[bytes, ...], found: dict[int, list[bytes]], judged: frozenset[bytes]) -> None:
        self.names = names
        self.host = found[_HOST][0]
        self.length = next(iter(found.get(_LENGTH, ())), None)
        self.connection = next(iter(found.get(_CONNECTION, ())), None)
        self.special = tuple(found.get(_SPECIAL, ()))
        keys = set(map(key_of, names))
        self.cross_origin = b"origin" in keys
        self.preflight = self.cross_origin and b"access-control-request-method" in keys
        picked = (name for name in self.special if key_of(name) in judged)
        self.pick = itemgetter(self.host, self.host, *picked)  # two of them at least: then it is a tuple
        self.mark = b"\n".join(self.special) + (b"\n" if self.preflight else b"")  # no name is empty, or ends so


class FieldBook:
    """What fields mean: of those with the keys ``judged`` the value says who asks, and those with ``cut`` do not go on.

    Learns shapes, bounded.
    """

    __slots__ = ("_judged", "_special", "shapes")

    def __init__(self, judged: frozenset[bytes], cut: frozenset[bytes]) -> None:
        self._judged = judged
        self._special = judged | cut
        self.shapes: dict[tuple[bytes, ...], Shape | None] = {}

    def learn(self, names: tuple[bytes, ...]) -> Shape | None:
        """What these names say; ``None``: such a request is not plain."""
        found: dict[int, list[bytes]] = {}
        for name in names:
            found.setdefault(self._meaning(name), []).append(name)
        single = all(len(found.get(meaning, ())) < 2 for meaning in (_LENGTH, _CONNECTION))  # noqa: PLR2004
        plain = single and _NOT_PLAIN not in found and len(found.get(_HOST, ())) == 1
        shape = Shape(names, found, self._judged) if plain else None
        if sum(map(len, names)) <= _LONGEST_NAMES:
            if len(self.shapes) >= _REMEMBERED_SHAPES:
                self.shapes.clear()
            self.shapes[names] = shape
        return shape

    def _meaning(self, name: bytes) -> int:
        key = KEYS.get(name) or key_of(name)
        found = _MEANINGS.get(key)
        if found is None:
            return _SPECIAL if key in self._special else _PASSES
        return _NOT_PLAIN if b"_" in name else found


class _Into:
    """What llhttp tells: only the fields, straight into a dict."""

    __slots__ = ("on_header",)

    def __init__(self, fields: dict[bytes, bytes]) -> None:
        self.on_header = fields.__setitem__


class PlainReader:
    """llhttp for one client's plain requests. After ``read``: ``fields`` as they came, and where their head ends.

    A name that comes twice is one field in a dict: the lines are counted, so that this is seen.
    """

    __slots__ = ("_feed", "_most_body", "_most_bytes", "_most_fields", "end", "fields")

    def __init__(self, limits: ClientLimits) -> None:
        self._most_body, self._most_bytes, self._most_fields = limits.body, limits.head.size, limits.head.fields
        self.end = 0
        """Of the head's last line; the empty line and the body are behind it."""
        self._renew()

    def _renew(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self._feed = httptools.HttpRequestParser(_Into(self.fields)).feed_data

    def read(self, data: bytes, book: FieldBook) -> Shape | None:
        """The shape of the one request that ``data`` holds from end to end; ``None``: it may be anything else."""
        end, fields = data.find(HEAD_END), self.fields
        if not 0 < end <= self._most_bytes:
            return None
        fields.clear()
        try:
            self._feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._renew()
            return None
        names = tuple(fields)
        try:
            shape = book.shapes[names]
        except KeyError:
            shape = book.learn(names)
        self.end = end + 2
        if shape is not None and data.count(b"\r\n", 0, end) == len(names) <= self._most_fields:
            if shape.length is None and shape.connection is None and len(data) == end + 4:
                return shape
            if self._is_whole(shape, len(data) - end - 4):
                return shape
        # What llhttp knows of a request that is not whole must not stay: it would take what comes next for its rest.
        self._renew()
        return None

    def _is_whole(self, shape: Shape, body: int) -> bool:
        """Whether the fields say that ``body`` bytes follow them, and that the connection is kept."""
        fields, length = self.fields, b"0" if shape.length is None else self.fields[shape.length]
        if shape.connection is not None and fields[shape.connection].lower() != b"keep-alive":
            return False
        whole = length.isdigit() and len(length) <= _LONGEST_LENGTH and int(length) == body
        return whole and body <= self._most_body


class _Line:
    """What llhttp says of a request line."""

    def __init__(self) -> None:
        self.target = b""

    def on_url(self, url: bytes) -> None:
        """The target."""
        self.target += url


def read_line(line: bytes) -> tuple[str, bytes] | None:
    """Method and target of a plain request line; ``None``: it is something else."""
    said = _Line()
    llhttp = httptools.HttpRequestParser(said)
    try:
        llhttp.feed_data(line + b"\r\nHost: x\r\n\r\n")
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    method: bytes = llhttp.get_method()
    return (method.decode(), said.target) if line == b"%b %b HTTP/1.1" % (method, said.target) else None


def fields_of(head: bytes) -> RawHeaders:
    """The fields of a head that was read before, in their order."""
    fields = Fields()
    httptools.HttpRequestParser(fields).feed_data(head + b"\r\n")
    return fields.found


class Fields:
    """Fields as llhttp tells them, without white space around values."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: RawHeaders = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of them."""
        self.found.append((name, value.rstrip(b" \t")))
