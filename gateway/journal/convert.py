"""Records as the bytes of a batch, and back; both ways lose nothing.

A batch is a JSON array of chunks; a chunk holds its records by columns, with tables for what repeats. Columns are made
and encoded by C loops (``zip``, ``map`` over look-ups), which is what makes 40,000 records per second cheap. Integers
of more than 64 bits become decimal strings: JSON and SQLite stop there, a continuous bucket does not.
"""

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, islice, repeat, zip_longest
from operator import add, sub
from typing import Any

import orjson

from gateway.core.bucket import Bucket
from gateway.core.cascade import Posting
from gateway.core.limit_text import KeyTexts, key_from
from gateway.core.scope import Scope
from gateway.journal.columns import Columns, Index, Postings
from gateway.journal.record import USUAL, Kind, Rare, Record

CHUNK = 1_000
_LARGEST = (1 << 63) - 1
_COMPRESS_FROM, _COMPRESS_TO = 1_024, 65_536
_ALIKE, _WORDS = ("kind", "workspace", "outcome"), ("rule", "user")


def encode(records: Columns, texts: KeyTexts) -> tuple[bytes, Columns]:
    """A chunk, and the records as they will be read: text that is not Unicode is spelled out.

    Raises ``TypeError``, ``ValueError`` or ``AttributeError`` for what no record may hold.
    """
    stored = _stored(records, texts)
    try:
        return orjson.dumps(stored, default=_mapping), records
    except TypeError:
        chunk = orjson.dumps(_tame(stored))
        return chunk, Columns(_records(orjson.loads(chunk)))


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


def _stored(records: Columns, texts: KeyTexts) -> dict[str, Any]:
    fields = records.fields
    word, words = _table()
    scope, scopes = _table()
    from_us = fields.at_us[0] if fields.at_us else 0  # other instants are told from it: few digits
    stored: dict[str, Any] = {name: _column(getattr(fields, name), word) for name in _ALIKE}
    stored |= {name: [*map(word, getattr(fields, name))] for name in _WORDS}
    stored |= {"id": fields.id, "from_us": from_us, "at_us": [*map(sub, fields.at_us, repeat(from_us))]}
    stored |= {"cost": _column(records.cost), "costs": records.costs, "end": [*zip_longest(*fields.end)]}
    payer = stored["scope"] = [*map(scope, fields.scope)]
    if records.postings.scope:
        # Nearly always each record has one posting, to the scope that pays.
        payers = records.postings.scope
        payer = payer if payers == fields.scope else [*map(scope, payers)]
        stored["postings"] = _column([*map(len, fields.postings)])
        stored |= _stored_postings(records.postings, payer, from_us, texts)
    stored["scopes"] = [None if known is None else (known[0], known[1]) for known in scopes]
    stored["words"] = list(words)
    stored["rest"] = _rest(fields.rare, texts) if records.rare else ()
    return stored


def _stored_postings(postings: Postings, payer: Index, from_us: int, texts: KeyTexts) -> dict[str, Any]:
    starts, spent, as_of_us, grants, rates = zip(*postings.after, strict=True)
    grant, granted = _table()
    start, started = _table()
    generation = _column(postings.generation, start)
    as_of = [*map(sub, as_of_us, repeat(from_us))]
    return {
        "posting": [
            payer, _column(postings.limit), generation, _column(postings.amount),
            generation if starts == postings.generation else _column(starts, start),
            spent, as_of, _column(grants, grant), _column(rates),
        ],
        "limits": [*map(texts, postings.limits)],
        "grants": list(granted),
        "starts": list(started),
    }  # fmt: skip


def _column(values: Sequence[Any], number: Callable[[Any], int] | None = None) -> Any:  # noqa: ANN401  (JSON)
    """``values``, as numbers of a table if there is one; if all are the same, it alone."""
    first = values[0] if values else None
    if values and values.count(first) == len(values):
        return first if number is None else number(first)
    return values if number is None else [*map(number, values)]


def _table() -> tuple[Callable[[Any], int], Mapping[Any, int]]:
    """A table that numbers what it is asked for, in the order of asking."""
    table: defaultdict[Any, int] = defaultdict(count().__next__)
    return table.__getitem__, table


def _rest(rare: Sequence[Rare], texts: KeyTexts) -> list[tuple[int, dict[str, Any]]]:
    """By the number of its record, what few have."""
    return [
        (number, {
            "overrun": dict(overrun), "shadow": shadow, "dropped": [*map(texts, dropped)], "deadline_us": deadline_us,
            "owner": owner, "times": times,
        })
        for number, (overrun, shadow, dropped, deadline_us, owner, times) in enumerate(rare)
        if rare[number] != USUAL
    ]  # fmt: skip


def _records(stored: Mapping[str, Any]) -> list[Record]:
    words, costs = stored["words"], [_costs(cost) for cost in stored["costs"]]
    scopes = [None if scope is None else Scope(*scope) for scope in stored["scopes"]]
    from_us, word, rows = int(stored["from_us"]), words.__getitem__, len(stored["id"])
    kind, cost, number, workspace, outcome = (
        _each(stored.get(name, 0), rows) for name in ("kind", "cost", "postings", "workspace", "outcome")
    )
    kinds = {word: Kind(words[word]) for word in set(kind)}
    postings = _postings(stored, scopes, from_us)
    rests = {number: _rare(rest) for number, rest in stored["rest"]}
    ends = zip(*stored["end"], strict=True) if stored["end"] else repeat(())
    said = zip(
        map(kinds.__getitem__, kind),
        stored["id"],
        map(add, map(int, stored["at_us"]), repeat(from_us)),
        map(word, stored["rule"]),
        map(scopes.__getitem__, stored["scope"]),
        map(costs.__getitem__, cost),
        (tuple(islice(postings, each)) for each in number),
        map(word, stored["user"]),
        map(word, workspace),
        map(word, outcome),
        strict=True,
    )
    return [
        Record._make((*one, rests.get(number, USUAL), [*end]))
        for number, (one, end) in enumerate(zip(said, ends, strict=False))
    ]


def _rare(rest: Mapping[str, Any]) -> Rare:
    deadline_us = None if rest["deadline_us"] is None else int(rest["deadline_us"])
    dropped = tuple(key_from(text) for text in rest["dropped"])
    return Rare(_costs(rest["overrun"]), rest["shadow"], dropped, deadline_us, rest["owner"], int(rest["times"]))


def _postings(stored: Mapping[str, Any], scopes: Sequence[Scope | None], from_us: int) -> Iterator[Posting]:
    if "posting" not in stored:
        return
    many = len(stored["posting"][5])
    payer, limit, generation, amount, start, spent, as_of_us, grant, rate = (
        _each(column, many) for column in stored["posting"]
    )
    limits = [key_from(text) for text in stored["limits"]]
    grants, starts = [tuple(ids) for ids in stored["grants"]], [*map(int, stored["starts"])]
    numbers = (map(int, column) for column in (amount, spent, as_of_us, rate))
    rows = zip(payer, limit, generation, start, grant, *numbers, strict=True)
    for scope, key, generation_, start_, ids, taken, spent_, as_of_us_, per_window in rows:
        known = scopes[scope]
        if known is None:
            raise ValueError("a posting without a scope")
        after = Bucket(starts[start_], spent_, as_of_us_ + from_us, grants[ids], per_window)
        yield Posting(known, limits[key], starts[generation_], taken, after)


def _each(column: Any, rows: int) -> list[Any]:  # noqa: ANN401  (JSON)
    """The inverse of ``_column``."""
    return column if isinstance(column, list) else [column] * rows


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
