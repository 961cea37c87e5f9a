"""What somebody is called, in a row of the upstream's."""

import json
from collections.abc import Mapping

from gateway.core.scope import normalise_id
from gateway.identity.issuers import claim_at

_LONGEST = 255


def called(row: Mapping[str, object]) -> str | None:
    """The name; who has none goes by the e-mail address."""
    return _in_words(row.get("name")) or _in_words(row.get("email"))


def name_of(body: bytes, id_: str, field: str) -> str | None:
    """What an answer about ``id_`` calls it: its ``field``, or what a dotted path leads to. ``None``: it does not say.

    An answer about somebody else says nothing.
    """
    try:
        row = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    if "id" in row and normalise_id(str(row["id"])) != id_:
        return None
    return _in_words(claim_at(row, field))


def _in_words(name: object) -> str | None:
    """A name as it is shown: printable, and not too long."""
    if not isinstance(name, str):
        return None
    return "".join(each for each in name.strip() if each.isprintable())[:_LONGEST] or None
