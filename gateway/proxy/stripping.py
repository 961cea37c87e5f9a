"""Answers without the JSON members that a rule takes out (``strip_json``): asked for plainly, held, changed, sent.

Only what says that it is JSON is touched. One that cannot be looked through (compressed although it was not asked to
be, a part of a whole, longer than may be held) is 502: what is to be taken out must not get through in another form.
"""

from collections.abc import Callable
from functools import lru_cache

from gateway.core.hop_by_hop import RawHeaders, lines, values
from gateway.core.strip_json import JsonStripper
from gateway.proxy.failures import UpstreamFailed
from gateway.proxy.outbox import Outbox
from gateway.proxy.plain_answer import BODILESS, AnswerReader, head_of
from gateway.proxy.relay import Edit, start_of
from gateway.proxy.response_parser import ResponseHead

NOT_PLAIN = frozenset({b"accept-encoding", b"range", b"if-range"})
"""Keys of request fields that ask for something else than the whole text."""
ASKS_PLAINLY = b"Accept-Encoding: identity\r\n"
"""Without this line any coding would be welcome (RFC 9110, 12.5.3)."""

_OF_THE_BYTES = frozenset(
    {b"accept-ranges", b"content-digest", b"content-length", b"content-md5", b"digest", b"etag", b"repr-digest"}
)
"""Keys of fields that speak of the answer's bytes, which are others now."""
_PARTIAL, _NOT_MODIFIED = 206, 304
_NOTHING: frozenset[bytes] = frozenset()

_stripper = lru_cache(maxsize=64)(JsonStripper)


class Held(Outbox):
    """Keeps one answer's body until it is whole, changes it, and then says how long it is.

    Raises ``UpstreamFailed`` as soon as it is longer than ``most`` bytes.
    """

    __slots__ = ("_change", "_most", "_whole")
    measures = True

    def __init__(self, change: Callable[[bytes], bytes], most: int) -> None:
        super().__init__()
        self._change, self._most, self._whole = change, most, False

    def body(self, data: bytes) -> None:
        """The body goes on."""
        super().body(data)
        if self._size > self._most:
            raise UpstreamFailed(
                f"The upstream's answer is longer than the {self._most} bytes that limits.strip_bytes lets be held.",
                request_sent=True,
            )

    def end(self, trailers: RawHeaders) -> None:
        """The body is whole. Trailers are lost: they go with chunks only."""
        del trailers
        self._whole = True

    def take(self) -> bytes:
        """Nothing, until all of it."""
        if not self._whole:
            return b""
        head = self._before
        body = self._change(super().take()[len(head) :])
        return b"%bContent-Length: %d\r\n\r\n%b" % (head[:-2], len(body), body)


def looked_through(head: ResponseHead, edit: Edit, names: frozenset[str], most: int) -> Edit:
    """``edit``, and the members called ``names`` are taken out of the answer if it is JSON.

    Raises ``UpstreamFailed`` for one that cannot be looked through.
    """
    if head.status == _NOT_MODIFIED:
        return edit._replace(drop=edit.drop | _OF_THE_BYTES, add=edit.add + lines(_weakened(head)))
    if not any(map(_is_json, values(head.headers, b"content-type"))):
        return edit
    coding = b",".join(values(head.headers, b"content-encoding")).strip().lower()
    if coding not in (b"", b"identity") or head.status == _PARTIAL:
        raise UpstreamFailed(
            "The upstream compressed, or cut, an answer that the gateway has to look through. "
            "Let nothing between the two compress what is asked for with 'Accept-Encoding: identity'.",
            request_sent=True,
        )
    changed = Edit(edit.drop | _OF_THE_BYTES, edit.add + lines(_weakened(head)))
    return changed if head.bodiless else changed._replace(box=Held(_stripper(names), most))


def stripped(
    plain: AnswerReader, status: int, out: tuple[frozenset[str], int], said: tuple[bytes, bytes], *, head_only: bool
) -> bytes | None:
    """A plain answer as it goes on, the same as a relay that it is ``looked_through`` for; ``None``: it cannot be.

    ``out``: the names, and how long it may be. ``said``: lines of the head, before and behind those of the body.
    """
    (names, most), (add, last) = out, said
    head = head_of(plain.head, status, bodiless=head_only or status in BODILESS)
    try:
        edit = looked_through(head, Edit(_NOTHING, add), names, most)
        lines = [*start_of(head, edit.drop), edit.add, last]
        if edit.box is None:
            return b"".join((*lines, plain.behind))
        edit.box.head(b"".join((*lines, b"\r\n")))
        edit.box.body(plain.behind[2:])
    except UpstreamFailed:
        return None
    edit.box.end([])
    return edit.box.take()


def _is_json(content_type: bytes) -> bool:
    kind = content_type.partition(b";")[0].strip().lower()
    return kind in (b"application/json", b"text/json") or kind.endswith(b"+json")


def _weakened(head: ResponseHead) -> RawHeaders:
    """The entity tag: the text means the same, its bytes are others (RFC 9110, 8.8.1)."""
    tags = values(head.headers, b"etag")
    return [(b"ETag", tag if tag.startswith(b"W/") else b"W/" + tag) for tag in tags[:1]]
