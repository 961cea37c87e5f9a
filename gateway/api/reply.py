"""What a handler answers, and how that becomes an answer: JSON or CSV, its tag, or that nothing has changed."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson

from gateway.api.call import Call
from gateway.api.fields import Told
from gateway.core.answers import Answer

JSON = b"application/json"
CSV = b"text/csv; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"
Content = Told | Sequence[Told] | Mapping[str, object] | bytes | None
Fields = tuple[tuple[bytes, bytes], ...]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_READ = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers. ``content``: an object, a list of them (a table, CSV on demand), bytes, or nothing.

    ``columns``: what rows are, so that an empty table has its head. ``revision``: of the one object; it becomes part of
    its ETag. ``type``: of bytes. ``fields`` are added.
    """

    content: Content = None
    status: int = 200
    revision: int | None = None
    columns: type[Told] | None = None
    type: bytes = JSON
    fields: Fields = field(default=())


def created(content: Told, revision: int | None = None) -> Reply:
    """201: there is a new one."""
    return Reply(content, 201, revision)


GONE = Reply(None, 204)
"""It is done, and there is nothing to say."""


def written(reply: Reply, call: Call) -> Answer:
    """The answer. A GET is told by its ETag whether anything has changed (RFC 9110, 13.1.2)."""
    body, type_ = _body(reply, call)
    reads = call.knock.method in _READ and reply.status == 200  # noqa: PLR2004
    fields = list(reply.fields)
    if body or reply.status == 200:  # noqa: PLR2004
        fields.append((b"Content-Type", type_))
        fields.append((b"X-Content-Type-Options", b"nosniff"))
    tag = _tag(reply, body) if reads or reply.revision is not None else None
    if tag is not None:
        fields.append((b"ETag", tag.encode()))
        if call.knock.header(b"origin") is not None:
            fields.append((b"Access-Control-Expose-Headers", b"ETag"))
    if not any(name.lower() == b"cache-control" for name, _ in fields):
        fields.append((b"Cache-Control", b"private, no-cache" if reads else b"no-store"))
        fields += [(b"Vary", b"Accept, Authorization")] if reads else []
    if reads and tag is not None and _weak(tag) in map(_weak, call.precondition.none_match):
        return Answer(304, [each for each in fields if each[0] != b"Content-Type"], b"")
    return Answer(reply.status, fields, body)


def _body(reply: Reply, call: Call) -> tuple[bytes, bytes]:
    match reply.content:
        case None:
            return b"", reply.type
        case bytes() as content:
            return content, reply.type
        case Told() as one:
            return orjson.dumps(_shown(one)), JSON
        case Mapping() as said:
            return orjson.dumps(said), JSON
        case rows:
            shown = [_shown(row) for row in rows]
            if wants_csv(call.knock.header(b"accept")):
                kind = type(rows[0]) if rows else reply.columns
                names = [] if kind is None else list(kind.model_fields)
                return _csv(names, shown), CSV
            return orjson.dumps(shown), JSON


def _shown(row: Told) -> dict[str, object]:
    return row.model_dump(mode="json", exclude_none=True)


def _tag(reply: Reply, body: bytes) -> str:
    """Of one object its revision, which ``If-Match`` is compared with, and what it looks like, for a GET."""
    digest = blake2b(body, digest_size=9).hexdigest()
    return f'W/"{digest}"' if reply.revision is None else f'"{reply.revision}.{digest}"'


def _weak(tag: str) -> str:
    return tag.removeprefix("W/")


def wants_csv(accept: bytes | None) -> bool:
    """Whether CSV is asked for, and JSON is not asked for before it."""
    named = [part.split(b";")[0].strip().lower() for part in (accept or b"").split(b",")]
    if b"text/csv" not in named:
        return False
    return JSON not in named or named.index(b"text/csv") < named.index(JSON)


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, object]]) -> bytes:
    """RFC 4180. A text that a spreadsheet would run as a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case int() | float():
            return value
        case _:
            return orjson.dumps(value).decode()
