"""Messages as the strictest reader of RFC 9112 reads them: whatever could be read in another way fails the test.

Written from the RFC and not from the gateway's parser, so that the two do not share a mistake.
"""

import re
from dataclasses import dataclass, field

from tests.conformance.peer import Peer, Torn

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELD = re.compile(
    rb"(" + _TOKEN + rb"):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\x20-\x7e\t\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*"
)
_REQUEST = re.compile(_TOKEN + rb" [\x21-\x7e]+ HTTP/1\.1")
_STATUS = re.compile(rb"HTTP/1\.1 ([1-9][0-9][0-9]) ([\x20-\x7e\t\x80-\xff]*)")
_SIZE = re.compile(rb"[0-9A-Fa-f]+")
_BODILESS = {204, 304}


@dataclass(slots=True)
class Message:
    """``start``: the first line. ``fields`` in order, as they came. ``body`` without its chunking."""

    start: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def values(self, name: bytes) -> list[bytes]:
        """Every value of a field."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def trailing(self) -> list[bytes]:
        """The trailers, each in a line."""
        return [b"%b: %b" % pair for pair in self.trailers]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])


async def read_head(peer: Peer, start: re.Pattern[bytes]) -> Message:
    line = await peer.line()
    assert start.fullmatch(line), f"a wrong first line: {line!r}"
    return Message(line, await _fields(peer))


async def request_head(peer: Peer) -> Message:
    """The head of a request."""
    message = await read_head(peer, _REQUEST)
    assert len(message.values(b"host")) == 1, f"not one Host: {message}"
    names = [name.lower() for name, _ in message.fields]
    assert not {b"content_length", b"transfer_encoding"} & set(names), f"framed for a CGI-like reader: {message}"
    return message


async def request(peer: Peer) -> Message:
    """A whole request."""
    message = await request_head(peer)
    await read_body(peer, message)
    return message


async def read_body(peer: Peer, message: Message) -> None:
    """The body of a request whose head was read."""
    length, chunked = framing(message)
    if chunked:
        message.body, message.trailers = await _chunked(peer)
    else:
        message.body = await peer.exactly(length or 0)


async def answer_head(peer: Peer) -> Message:
    """The head of an answer."""
    return await read_head(peer, _STATUS)


async def answer(peer: Peer, *, to_head: bool = False) -> Message:
    """A whole answer. ``to_head``: to a HEAD, so that no body follows whatever it says."""
    message = await answer_head(peer)
    length, chunked = framing(message)
    if message.status < 200 or message.status in _BODILESS:
        assert not chunked, f"a body where there is none: {message}"
        assert length is None or message.status == 304, f"a length where there is none: {message}"
    elif to_head:
        pass
    elif chunked:
        message.body, message.trailers = await _chunked(peer)
    elif length is not None:
        message.body = await peer.exactly(length)
    else:
        assert message.values(b"connection") == [b"close"], f"a body without an end: {message}"
        message.body = await peer.rest()
    return message


def framing(message: Message) -> tuple[int | None, bool]:
    """``Content-Length``, and whether it is chunked."""
    lengths, codings = message.values(b"content-length"), message.values(b"transfer-encoding")
    assert len(lengths) + len(codings) <= 1, f"framed in two ways: {message}"
    if codings:
        assert codings == [b"chunked"], f"an unknown coding: {message}"
        return None, True
    if lengths:
        assert re.fullmatch(rb"[0-9]+", lengths[0]), f"no length: {message}"
        return int(lengths[0]), False
    return None, False


async def _chunked(peer: Peer) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    body = b""
    while True:
        line = await peer.line()
        assert _SIZE.fullmatch(line), f"no size of a chunk: {line!r}"
        size = int(line, 16)
        if size == 0:
            return body, await _fields(peer)
        body += await peer.exactly(size)
        assert await peer.exactly(2) == b"\r\n", "a chunk longer than it says"


async def is_whole_chunked(wire: bytes) -> bool:
    """Whether a chunked body ends in ``wire``."""
    peer = Peer()
    peer.buffer += wire
    peer.ended = "end"
    try:
        await _chunked(peer)
    except Torn:
        return False
    return True


async def _fields(peer: Peer) -> list[tuple[bytes, bytes]]:
    found = []
    while line := await peer.line():
        match = _FIELD.fullmatch(line)
        assert match is not None, f"no field: {line!r}"
        found.append((match[1], match[2]))
    return found
