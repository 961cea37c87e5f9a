"""Who holds a budget."""

import re
from typing import NamedTuple

ID_LENGTH = 255
"""An id has at most this many characters (OpenID Connect Core, 2, allows a subject 255)."""

# What Go's google/uuid reads: canonical, urn:uuid:, any one character around it, or 32 hex digits.
_UUID = re.compile(
    r"(?:urn:uuid:|.)?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12}).?|([0-9a-f]{32})",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_UUID_LENGTHS = frozenset({32, 36, 38, 45})


class Scope(NamedTuple):
    """A holder of budgets, for example ``Scope("workspace", "aa0e8400-…")``.

    ``id`` is already normalised (UUIDs in canonical lower case) when a scope is made: it keys money.
    """

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def canonical_uuid(text: str) -> str | None:
    """The canonical spelling of a UUID in any of the spellings that upstreams read as the same one, else ``None``."""
    if len(text) not in _UUID_LENGTHS or (found := _UUID.fullmatch(text)) is None:
        return None
    digits = (found[6] or "".join(found.group(1, 2, 3, 4, 5))).lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def normalise_id(text: str) -> str | None:
    """``text`` as it may key money: one spelling per UUID, anything else verbatim, ``None`` if it cannot be an id.

    Not an id: nothing, more than ``ID_LENGTH`` characters, white space at an end, a character that does not print.
    """
    if not 0 < len(text) <= ID_LENGTH:
        return None
    if (uuid := canonical_uuid(text)) is not None:
        return uuid
    return text if text.isprintable() and text == text.strip() else None
