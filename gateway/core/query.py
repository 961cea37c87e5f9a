"""Taking parameters out of a query without touching the rest of it."""

import re
from urllib.parse import unquote_to_bytes

_PAIR = re.compile(rb"[^&;]*[&;]?")


def without_parameters(raw: bytes, names: frozenset[bytes]) -> bytes:
    """A request target without the query parameters of these decoded ``names``; every other byte stays as it came."""
    path, mark, query = raw.partition(b"?")
    if not mark or not names:
        return raw
    kept = [pair for pair in _PAIR.findall(query) if pair and _name(pair) not in names]
    left = b"".join(kept).rstrip(b"&;")
    return path + mark + left if left else path


def _name(pair: bytes) -> bytes:
    return unquote_to_bytes(pair.rstrip(b"&;").partition(b"=")[0].replace(b"+", b" "))
