"""The fast lane's 429: ``answer.of_refusal`` on the wire, in wacraft's dialect, where all tills have said no.

Who has nothing left and asks all the same mostly asks at once again: he is told the same until the next second begins.
"""

from typing import cast

from gateway.core.cascade import Refusal, Shortfall
from gateway.core.hop_by_hop import lines
from gateway.core.rate_limit_fields import SECOND_US, seconds_until
from gateway.metering.snapshot import Snapshot
from gateway.metering.stand import Stand
from gateway.metering.till_text import Said, refusal_text
from gateway.proxy.answer import cors_fields
from gateway.proxy.answer_writer import http_date

_WIRE = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nX-Request-ID: %b\r\n"
    b"Cache-Control: no-store\r\n%b%b%bDate: %b\r\nContent-Length: %d\r\n%b\r\n%b"
)
_ID, _DATE = b"\0", b"\1"
"""Places in a text: neither may stand in a head, or in JSON."""


def turned_away(
    refusal: Refusal, stand: Stand, snapshot: Snapshot, id_: bytes, *, cross_origin: bool, close: bool
) -> bytes:
    """All of the answer to the request ``id_``."""
    if cross_origin or close:
        cors = lines(cors_fields(snapshot)) if cross_origin else b""
        last = b"Connection: close\r\n" if close else b""
        return _wire(refusal, stand, snapshot, id_, http_date(), (cors, last))
    said = stand.said
    if (
        said is None
        or not said.from_us <= refusal.at_us < said.until_us
        or said.shortfalls != refusal.shortfalls
        or said.costs != refusal.costs
    ):
        last_us, stand.refused_us = stand.refused_us, refusal.at_us
        if not 0 <= refusal.at_us - last_us < SECOND_US:
            return _wire(refusal, stand, snapshot, id_, http_date())  # once now and then: not worth keeping
        said = stand.said = _said(refusal, stand, snapshot, len(id_))
    return said.text % (id_, http_date(), id_)


def _wire(
    refusal: Refusal, stand: Stand, snapshot: Snapshot, id_: bytes, date: bytes, odd: tuple[bytes, bytes] = (b"", b"")
) -> bytes:
    """``odd``: the lines for scripts from elsewhere, and for a connection that ends."""
    texts, first = stand.texts, cast("Shortfall", refusal.first)
    standing = first.standings[0]
    body = refusal_text(refusal, texts, id_, snapshot.buy_url)
    text = next(text for text, each in zip(texts, refusal.shortfalls, strict=True) if each is first)
    cost, reset_us = next(iter(refusal.costs.values())), standing.reset_us or 0
    fields = snapshot.families.filled(text.fields, standing.left, reset_us, cost, refusal.at_us)
    wait = refusal.ready_us
    retry = b"" if wait is None else b"Retry-After: %d\r\n" % seconds_until(wait, refusal.at_us)
    return _WIRE % (id_, retry, fields, odd[0], date, len(body), odd[1], body)


def _said(refusal: Refusal, stand: Stand, snapshot: Snapshot, id_length: int) -> Said:
    """What is the same of it for every request, until one second less is left of any window."""
    id_ = _ID * id_length
    text = _wire(refusal, stand, snapshot, id_, _DATE).replace(b"%", b"%%").replace(id_, b"%b").replace(_DATE, b"%b")
    at_us, resets = refusal.at_us, [shortfall.standings[0].reset_us or 0 for shortfall in refusal.shortfalls]
    began = [reset_us + (at_us - reset_us) // SECOND_US * SECOND_US for reset_us in resets]
    return Said(refusal.shortfalls, refusal.costs, max(began), min(began) + SECOND_US, text)
