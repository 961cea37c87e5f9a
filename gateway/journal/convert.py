"""Records as the bytes of a batch, and back; both ways lose nothing.

A batch is a JSON array of chunks; a chunk holds its records by columns, with tables for what repeats. Columns are made
by C loops (``map`` over getters), which is what makes 40,000 records per second cheap. Integers of more than 64 bits
become decimal strings: JSON and SQLite stop there, a continuous bucket does not.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from operator import attrgetter
from typing import Any

import orjson

from gateway.core.bucket import Bucket
from gateway.core.cascade import Posting
from gateway.core.limit_text import KeyTexts, key_from
from gateway.core.scope import Scope
from gateway.journal.record import Kind, Record

CHUNK = 500
_LARGEST = (1 << 63) - 1
_COMPRESS_FROM, _COMPRESS_TO = 1_024, 65_536
_PLAIN = ("id", "at_us", "status", "latency_us", "upstream_latency_us")
_WORDS = ("kind", "rule", "user", "workspace", "outcome")
_NAMES = (*_PLAIN, *_WORDS, "scope", "costs", "postings")
_COMMON = attrgetter(*_NAMES)
_RARE = attrgetter("overrun", "shadow", "dropped", "deadline_us", "owner", "count")
_USUAL: tuple[Any, ...] = ({}, False, (), None, None, 1)

Index = list[int]


def encode(records: Sequence[Record], texts: KeyTexts) -> tuple[bytes, Sequence[Record]]:
    """A chunk, and the records as they will be read: text that is not Unicode is spelled out.

    Raises ``TypeError``, ``ValueError`` or ``AttributeError`` for what no record may hold.
    """
    columns = _columns(records, texts)
    try:
        return orjson.dumps(columns, default=_mapping), records
    except TypeError:
        chunk = orjson.dumps(_tame(columns))
        return chunk, _records(orjson.loads(chunk))


def join(chunks: Iterable[bytes]) -> bytes:
    """Chunks as the bytes of a batch; small ones compressed: it is cheap there, and quiet journals live long."""
    blob = b"[" + b",".join(chunks) + b"]"
    return zlib.compress(blob, 1) if _COMPRESS_FROM <= len(blob) <= _COMPRESS_TO else blob


def decode(blob: bytes) -> list[Record]:
    """The records of a batch. Raises ``ValueError`` if it is damaged."""
    try:
        chunks = orjson.loads(plain(blob))
        return [record for chunk in chunks for record in _records(chunk)]
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def plain(blob: bytes) -> bytes:
    """The JSON of a batch. Raises ``ValueError`` if it is damaged."""
    try:
        return blob if blob[:1] == b"[" else zlib.decompress(blob)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _columns(records: Sequence[Record], texts: KeyTexts) -> dict[str, Any]:
    values = dict(zip(_NAMES, zip(*map(_COMMON, records), strict=True), strict=True))
    word, words = _table()
    scope, scopes = _table()
    columns: dict[str, Any] = {name: values[name] for name in _PLAIN}
    columns |= {name: [*map(word, values[name])] for name in _WORDS}
    columns["scope"] = [*map(scope, values["scope"])]
    columns["cost"], columns["costs"] = _by_identity(values["costs"])
    columns["postings"] = [*map(len, values["postings"])]
    postings = [*chain.from_iterable(values["postings"])]
    if postings:
        payers, limits, generations, amounts, afters = zip(*postings, strict=True)
        # Nearly always each record has one posting, to the scope that pays.
        payer = columns["scope"] if payers == values["scope"] else [*map(scope, payers)]
        limit, distinct = _by_identity(limits)
        grant, grants = _table()
        after = [*zip(*afters, strict=True)]
        columns["posting"] = [
            payer, limit, generations, amounts, *after[:3], [*map(grant, after[3])], after[4],
        ]  # fmt: skip
        columns["limits"] = [texts(key) for key in distinct]
        columns["grants"] = list(grants)
    columns["scopes"] = [None if known is None else (known[0], known[1]) for known in scopes]
    columns["words"] = list(words)
    rare = [(number, rest) for number, rest in enumerate(map(_RARE, records)) if rest != _USUAL]
    if rare:
        columns["rest"] = [(number, _rest(rest, texts)) for number, rest in rare]
    return columns


def _table() -> tuple[Callable[[Any], int], Mapping[Any, int]]:
    """A table that numbers what it is asked for, in the order of asking."""
    table: defaultdict[Any, int] = defaultdict(count().__next__)
    return table.__getitem__, table


def _by_identity(values: Sequence[Any]) -> tuple[Index, list[Any]]:
    """Numbers and what they stand for, for objects that are dear to hash or have none."""
    distinct = dict(zip(map(id, values), values, strict=True))
    table = dict(zip(distinct, count(), strict=False))
    return [*map(table.__getitem__, map(id, values))], [*distinct.values()]


def _rest(rest: tuple[Any, ...], texts: KeyTexts) -> dict[str, Any]:
    overrun, shadow, dropped, deadline_us, owner, number = rest
    return {
        "overrun": dict(overrun),
        "shadow": shadow,
        "dropped": [texts(key) for key in dropped],
        "deadline_us": deadline_us,
        "owner": owner,
        "count": number,
    }


def _records(columns: Mapping[str, Any]) -> list[Record]:
    words, costs = columns["words"], [_costs(cost) for cost in columns["costs"]]
    scopes = [None if scope is None else Scope(*scope) for scope in columns["scopes"]]
    kinds = {number: Kind(words[number]) for number in set(columns["kind"])}
    word = words.__getitem__
    postings = _postings(columns, scopes)
    records = [
        Record(kind, id_, int(at_us), rule, scope, cost, tuple(islice(postings, number)), *rest)
        for kind, id_, at_us, rule, scope, cost, number, *rest in zip(
            map(kinds.__getitem__, columns["kind"]),
            columns["id"],
            columns["at_us"],
            map(word, columns["rule"]),
            map(scopes.__getitem__, columns["scope"]),
            map(costs.__getitem__, columns["cost"]),
            columns["postings"],
            columns["status"],
            columns["latency_us"],
            columns["upstream_latency_us"],
            map(word, columns["user"]),
            map(word, columns["workspace"]),
            map(word, columns["outcome"]),
            strict=True,
        )
    ]
    for number, rest in columns.get("rest", ()):
        record = records[number]
        record.overrun = _costs(rest["overrun"])
        record.shadow, record.owner, record.count = rest["shadow"], rest["owner"], int(rest["count"])
        record.dropped = tuple(key_from(text) for text in rest["dropped"])
        record.deadline_us = None if rest["deadline_us"] is None else int(rest["deadline_us"])
    return records


def _postings(columns: Mapping[str, Any], scopes: Sequence[Scope | None]) -> Iterator[Posting]:
    if "posting" not in columns:
        return
    payer, limit, *numbers, grant, rate = columns["posting"]
    limits = [key_from(text) for text in columns["limits"]]
    grants = [tuple(ids) for ids in columns["grants"]]
    rows = zip(payer, limit, grant, *(map(int, column) for column in (*numbers, rate)), strict=True)
    for scope, key, ids, generation, amount, started, spent, as_of_us, per_window in rows:
        known = scopes[scope]
        if known is None:
            raise ValueError("a posting without a scope")
        after = Bucket(started, spent, as_of_us, grants[ids], per_window)
        yield Posting(known, limits[key], generation, amount, after)


def _costs(stored: Mapping[str, int | str]) -> dict[str, int]:
    return {meter: int(amount) for meter, amount in stored.items()}


def _mapping(value: object) -> dict[str, int]:
    """What ``orjson`` does not know: costs may be any mapping."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a journal holds no {type(value).__name__}")


def small(number: int) -> int | str:
    """``number`` itself if SQLite and JSON can hold it, else its digits."""
    return number if -_LARGEST <= number <= _LARGEST else str(number)


def tame_text(text: str) -> str:
    """``text`` with lone surrogates (which UTF-8 cannot hold) written out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _tame(value: Any) -> Any:  # noqa: ANN401  (any JSON value)
    match value:
        case bool() | None:
            return value
        case int():
            return small(value)
        case str():
            return tame_text(value)
        case Mapping():
            return {_tame(key): _tame(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_tame(inner) for inner in value]
        case _:
            raise TypeError(f"a journal holds no {type(value).__name__}")
