"""Buckets as Redis keeps them, and back; both ways lose nothing.

A bucket is ``generation units rest as_of_us rate grants``. What is missing of a continuous one is units + rest/window:
two numbers that a double holds, where their product with the window would need 80 bits.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gateway.core.bucket import Bucket, LimitKey, Refill
from gateway.core.limit_text import KeyTexts, key_from

States = dict[LimitKey, Bucket]

field_of = KeyTexts()
"""The field of a limit key in its scope's hash."""


@lru_cache(maxsize=100_000)
def grants_text(grants: tuple[str, ...]) -> str:
    """Ids of subscriptions as ASCII JSON: an id is found in it by its own ``quoted``."""
    return json.dumps(grants, separators=(",", ":"))


@lru_cache(maxsize=100_000)
def _grants_from(text: bytes) -> tuple[str, ...]:
    return tuple(json.loads(text))


def quoted(grant: str) -> str:
    """One id as it stands in ``grants_text``."""
    return json.dumps(grant)


def text_of(bucket: Bucket, key: LimitKey) -> str:
    """A bucket as text."""
    generation, spent, as_of_us, grants, rate = bucket
    units, rest = divmod(spent, key.window_us) if key.refill is Refill.CONTINUOUS else (spent, 0)
    return f"{generation} {units} {rest} {as_of_us} {rate} {grants_text(grants)}"


def bucket_from(text: bytes, key: LimitKey) -> Bucket:
    """The inverse of ``text_of``. Raises ``ValueError``."""
    generation, units, rest, as_of_us, rate, grants = text.split(b" ", 5)
    spent = int(units) * key.window_us + int(rest) if key.refill is Refill.CONTINUOUS else int(units)
    return Bucket(int(generation), spent, int(as_of_us), _grants_from(grants), int(rate))


def states_from(pairs: Iterable[bytes]) -> States:
    """Buckets from fields and texts in turn."""
    each = iter(pairs)
    found: States = {}
    for field, text in zip(each, each, strict=True):
        key = key_from(field.decode("ascii"))
        found[key] = bucket_from(text, key)
    return found


def pairs_of(states: Mapping[LimitKey, Bucket]) -> list[str]:
    """The inverse of ``states_from``, in the order of the fields."""
    pairs: list[str] = []
    for field, text in sorted((field_of(key), text_of(bucket, key)) for key, bucket in states.items()):
        pairs += (field, text)
    return pairs
