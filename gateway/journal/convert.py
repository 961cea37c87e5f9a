"""Records, buckets and limit keys as text and rows, and back; both ways lose nothing.

Integers of more than 64 bits become decimal strings: JSON and SQLite stop there, a continuous bucket does not.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any, Literal, cast
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

import orjson

from gateway.core.bucket import Anchor, Bucket, Calendar, Epoch, LimitKey, Refill, Since
from gateway.core.cascade import Posting
from gateway.core.scope import Scope
from gateway.journal.record import Kind, Record

Row = list[Any]
"""A record as JSON knows it: kind, id, at_us, rule, scope kind, scope id, costs, postings, status, latency_us,
upstream_latency_us, user, workspace, and if there is more to say a mapping of the rest."""

_LARGEST = (1 << 63) - 1
_WORDS = {kind: str(kind.value) for kind in Kind}
_CACHED = 200_000


def small(number: int) -> int | str:
    """``number`` itself if SQLite and JSON can hold it, else its digits."""
    return number if -_LARGEST <= number <= _LARGEST else str(number)


def zone_text(zone: tzinfo) -> str:
    """A time zone by name, or by its fixed offset in seconds (``+3600``)."""
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    if isinstance(zone, timezone):
        return f"{int(zone.utcoffset(None).total_seconds()):+d}"
    raise ValueError(f"the time zone {zone!r} has no name to store it by")


def zone_from(text: str) -> tzinfo:
    """The inverse of ``zone_text``."""
    if text[0] in "+-":
        seconds = int(text)
        return timezone(timedelta(seconds=seconds)) if seconds else UTC
    return ZoneInfo(text)


def _anchor_text(anchor: Anchor) -> str:
    match anchor:
        case Epoch():
            return "epoch"
        case Since(at_us):
            return f"since:{at_us}"
        case Calendar(unit=unit, zone=zone):
            return f"{unit}:{quote(zone_text(zone), safe='/+')}"


def _anchor_from(text: str) -> Anchor:
    if text == "epoch":
        return Epoch()
    word, _, rest = text.partition(":")
    if word == "since":
        return Since(int(rest))
    return Calendar(cast("Literal['day', 'month']", word), zone_from(unquote(rest)))


def key_text(key: LimitKey) -> str:
    """A limit key in one line: ``throughput|3600000000|interval|epoch|``."""
    meter, purse = quote(key.meter, safe=" :/,;=+"), quote(key.purse, safe=" :/,;=+")
    return f"{meter}|{key.window_us}|{key.refill.value}|{_anchor_text(key.anchor)}|{purse}"


def key_from(text: str) -> LimitKey:
    """The inverse of ``key_text``; raises ``ValueError`` on anything else."""
    meter, window, refill, anchor, purse = text.split("|")
    return LimitKey(unquote(meter), int(window), Refill(refill), _anchor_from(anchor), unquote(purse))


class KeyTexts:
    """``key_text``, remembered by a key's identity: keys live as long as their catalog, and hashing them is dear."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[LimitKey, str]] = {}

    def __call__(self, key: LimitKey) -> str:
        """The text of ``key``."""
        known = self._known.get(id(key))
        if known is not None:
            return known[1]
        if len(self._known) >= _CACHED:
            self._known.clear()
        text = key_text(key)
        self._known[id(key)] = (key, text)  # holding the key keeps its id its own
        return text


def to_row(record: Record, text_of: KeyTexts) -> Row:
    """``record`` as a row for JSON."""
    scope = record.scope
    kind, id_ = scope if scope is not None else (None, None)
    postings = []
    for posting_scope, limit, generation, amount, after in record.postings:
        spent = after[1]
        posting: Row = [
            text_of(limit),
            generation,
            amount,
            after[0],
            spent if spent <= _LARGEST else str(spent),
            after[2],
            after[3],
        ]
        if posting_scope is not scope and posting_scope != scope:
            posting += posting_scope
        postings.append(posting)
    costs = record.costs
    row: Row = [
        _WORDS[record.kind],
        record.id,
        record.at_us,
        record.rule,
        kind,
        id_,
        costs if type(costs) is dict else dict(costs),
        postings,
        record.status,
        record.latency_us,
        record.upstream_latency_us,
        record.user,
        record.workspace,
    ]
    if record.overrun or record.outcome or record.dropped or record.shadow or record.owner or record.count != 1:
        row.append(_rest(record, text_of))
    return row


def _rest(record: Record, text_of: KeyTexts) -> dict[str, Any]:
    rest: dict[str, Any] = {
        "overrun": dict(record.overrun),
        "outcome": record.outcome,
        "shadow": record.shadow,
        "dropped": [text_of(key) for key in record.dropped],
        "deadline_us": record.deadline_us,
        "owner": record.owner,
    }
    kept = {name: value for name, value in rest.items() if value}
    return kept if record.count == 1 else {**kept, "count": record.count}


def from_row(row: Sequence[Any]) -> Record:
    """The inverse of ``to_row``."""
    rest: Mapping[str, Any] = row[13] if len(row) > 13 else {}  # noqa: PLR2004  (the optional fourteenth)
    scope = None if row[4] is None else Scope(row[4], row[5])
    return Record(
        kind=Kind(row[0]),
        id=row[1],
        at_us=int(row[2]),
        rule=row[3],
        scope=scope,
        costs=_costs(row[6]),
        postings=tuple(_posting(posting, scope) for posting in row[7]),
        status=row[8],
        latency_us=row[9],
        upstream_latency_us=row[10],
        user=row[11],
        workspace=row[12],
        overrun=_costs(rest.get("overrun", {})),
        outcome=rest.get("outcome", ""),
        shadow=rest.get("shadow", False),
        dropped=tuple(key_from(text) for text in rest.get("dropped", ())),
        deadline_us=rest.get("deadline_us"),
        owner=rest.get("owner"),
        count=rest.get("count", 1),
    )


def _costs(stored: Mapping[str, int | str]) -> Mapping[str, int]:
    return {meter: int(amount) for meter, amount in stored.items()}


def _posting(stored: Sequence[Any], scope: Scope | None) -> Posting:
    payer = Scope(stored[7], stored[8]) if len(stored) > 7 else scope  # noqa: PLR2004  (its own scope, if another)
    if payer is None:
        raise ValueError("a posting without a scope")
    return Posting(payer, key_from(stored[0]), int(stored[1]), int(stored[2]), bucket_from(stored[3:7]))


def bucket_from(stored: Sequence[Any]) -> Bucket:
    """A bucket from its generation, spent, as_of and grants."""
    generation, spent, as_of_us, grants = stored
    return Bucket(int(generation), int(spent), int(as_of_us), tuple(grants))


def dump(rows: list[Row]) -> tuple[bytes, list[Row]]:
    """``rows`` as JSON, and as written: what JSON refuses (over 64 bits, not Unicode) in a spelling that it takes.

    Raises ``TypeError`` for what no record may hold.
    """
    try:
        return orjson.dumps(rows), rows
    except TypeError:
        tame: list[Row] = _tame(rows)
        return orjson.dumps(tame), tame


def _tame(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    match value:
        case bool() | None:
            return value
        case int():
            return small(value)
        case str():
            return tame_text(value)
        case dict():
            return {_tame(key): _tame(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_tame(inner) for inner in value]
        case _:
            raise TypeError(f"a journal holds no {type(value).__name__}")


def tame_text(text: str) -> str:
    """``text`` with lone surrogates (which UTF-8 cannot hold) written out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
