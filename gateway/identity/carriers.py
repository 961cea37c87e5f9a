"""Where credentials travel, read so that no spelling of a carrier goes unseen.

A carrier that is there in a spelling which is not exactly ours is *present but not understood*: a lenient upstream may
read it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from gateway.core.problems import BadRequest
from gateway.identity.credential import AGAIN, unauthorized

AUTHORIZATION = b"authorization"
COOKIE = b"cookie"
FORWARDED_FOR = b"x-forwarded-for"

_KNOWN_NAMES = 4_096
_LONGEST_NAME = 64
"""Bytes of a name that is remembered: real ones are shorter."""
_BEARER = re.compile(rb"(?i:bearer) ([A-Za-z0-9._~+/-]+=*)")
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_PAIRS = re.compile(rb"[&;]")
_LOOSE_COOKIES = re.compile(rb"[;,\s]")
_AROUND = b" \t\r\n\x0b\x0c\x00\"'[]$"

Headers = Sequence[tuple[bytes, bytes]]


def canonical_name(name: bytes) -> bytes:
    """A header name as it is compared: lower case, ``_`` read as ``-`` (to CGI-like upstreams they are one)."""
    return name.strip().lower().replace(b"_", b"-")


@dataclass(slots=True)
class Fields:
    """The header fields that matter here, by canonical name; each of ``single`` occurs once."""

    single: dict[bytes, bytes] = field(default_factory=dict)
    cookies: list[bytes] = field(default_factory=list)
    forwarded_for: list[bytes] = field(default_factory=list)


class FieldReader:
    """Picks the wanted fields out of a request's headers."""

    def __init__(self, wanted: Iterable[bytes]) -> None:
        self._wanted = frozenset(canonical_name(name) for name in wanted)
        self._known: dict[bytes, bytes] = {}
        self._others: set[bytes] = set()

    def pick(self, headers: Headers) -> Headers:
        """The fields that may matter, as they came: a quick look that leaves out the names known not to."""
        others = self._others
        return [field for field in headers if field[0] not in others]

    def read(self, headers: Headers, *, judge: bool = True) -> Fields:
        """The wanted fields. A second one of a name: ``BadRequest`` with ``judge``; without, the first stays."""
        fields = Fields()
        for name, value in headers:
            canonical = self._known.get(name)
            if canonical is None:
                canonical = self._learn(name)
            if not canonical:
                continue
            if canonical == COOKIE:
                fields.cookies.append(value)
            elif canonical == FORWARDED_FOR:
                fields.forwarded_for.append(value)
            elif canonical not in fields.single:
                fields.single[canonical] = value.strip(b" \t")
            elif judge:
                raise BadRequest(f"The header {canonical.decode('latin-1')!r} is there twice. Send it once.")
        return fields

    def _learn(self, name: bytes) -> bytes:
        """The canonical name if it is wanted, else nothing; remembered for the names that clients really use."""
        canonical = canonical_name(name)
        # A proxy that appends to X-Forwarded-For leaves X_Forwarded_For alone: that spelling is the client's own word.
        strange = canonical == FORWARDED_FOR and name.lower() != FORWARDED_FOR
        if strange or canonical not in self._wanted:
            canonical = b""
        if len(name) > _LONGEST_NAME:
            return canonical
        if len(self._known) >= _KNOWN_NAMES:
            self._known.clear()
            self._others.clear()
        self._known[name] = canonical
        if not canonical:
            self._others.add(name)
        return canonical


class QueryGlance:
    """Whether a query could hold one of ``names`` in any spelling: a quick no for the many that do not."""

    def __init__(self, names: Iterable[bytes]) -> None:
        self._names = tuple(name.lower().replace(b"+", b" ") for name in names)
        self._plain = not any(b"%" in name for name in self._names)

    def __call__(self, query: bytes) -> bool:
        """``False`` only if ``query_value`` finds nothing, and nothing to complain of, for each of the names."""
        if not self._names:
            return False
        text = query
        if b"%" in text:  # A lenient upstream decodes twice.
            text = unquote_to_bytes(unquote_to_bytes(text))
        text = text.lower().replace(b"+", b" ")
        return not self._plain or any(name in text for name in self._names)


def bearer_token(value: bytes) -> bytes:
    """The token of ``Bearer <token68>`` (RFC 6750, 2.1; one space). Raises ``Unauthorized`` for anything else."""
    if (found := _BEARER.fullmatch(value)) is None:
        raise unauthorized(f"The Authorization header is not of the form 'Bearer <token>'. {AGAIN}")
    return found[1]


def loose_token(value: bytes) -> bytes:
    """The token of ``<token>`` or ``Bearer <token>``, for carriers that have no scheme of their own."""
    return value if _TOKEN.fullmatch(value) else bearer_token(value)


def cookie_value(cookies: Sequence[bytes], name: bytes) -> bytes | None:
    """The value of the cookie ``name``, ``None`` if no upstream could find one.

    Raises ``BadRequest`` if it is there twice, ``Unauthorized`` if it is there in a spelling that only some would read.
    """
    found = None
    exact = 0
    for pair in (pair for line in cookies for pair in line.split(b";")):
        key, separator, value = pair.strip(b" \t").partition(b"=")
        if key == name and separator:
            found, exact = value, exact + 1
    loose = sum(
        _alike(pair.partition(b"=")[0], name) for line in cookies for pair in _LOOSE_COOKIES.split(line) if pair
    )
    return _only(found, exact, loose, f"cookie {name.decode('latin-1')!r}")


def query_value(query: bytes, name: bytes) -> bytes | None:
    """The decoded value of the query parameter ``name``; ``None`` and errors as for ``cookie_value``."""
    found = None
    exact = loose = 0
    for pair in _PAIRS.split(query):
        key, _, value = pair.partition(b"=")
        decoded = _decoded(key)
        loose += _alike(decoded, name) or _alike(_decoded(decoded), name)
        if decoded == name:
            found, exact = _decoded(value), exact + 1
    return _only(found, exact, loose, f"query parameter {name.decode('latin-1')!r}")


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _alike(spelling: bytes, name: bytes) -> bool:
    return spelling.strip(_AROUND).lower() == name.lower()


def _only(found: bytes | None, exact: int, loose: int, what: str) -> bytes | None:
    if exact > 1:
        raise BadRequest(f"The {what} is there twice. Send it once.")
    if loose > exact:
        raise unauthorized(f"The {what} is there in a spelling that is not understood. Send it exactly so, once.")
    return found
