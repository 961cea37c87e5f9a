"""Whether two answers are the same one, although a part of it may change from moment to moment.

Answers are looked at no closer than is needed to tell the path from paths that nobody knows. To take two answers for
one is the safe mistake: the gateway then merges or refuses spellings, and none becomes a discount.
"""

import json
import re
from collections.abc import Callable, Hashable, Sequence
from urllib.parse import unquote

from gateway.habits.site import Seen

Answer = tuple[str, Seen]
"""The path as it was sent, and what came back."""
Eye = Callable[[Answer], Hashable]


def outline(answer: Answer) -> Hashable:
    """Status and kind."""
    _, seen = answer
    return (seen.status, seen.kind)


def shape(answer: Answer) -> Hashable:
    """The names and kinds of what a JSON answer holds."""
    _, seen = answer
    try:
        value: object = json.loads(seen.body)
    except ValueError:
        value = None
    return (seen.status, seen.kind, _shape(value))


def whole(answer: Answer) -> Hashable:
    """All of it, less the path that was asked for, which error pages and echoes repeat."""
    sent, seen = answer
    text = seen.body.decode("utf-8", "replace")
    for spelling in sorted({sent, unquote(sent), sent.rstrip("/")}, key=len, reverse=True):
        text = re.sub(re.escape(spelling), "", text, flags=re.IGNORECASE)
    return (seen.status, seen.kind, text)


def _shape(value: object) -> Hashable:
    match value:
        case dict():
            return frozenset((name, _shape(inner)) for name, inner in value.items())
        case list():
            return ("list", frozenset(_shape(inner) for inner in value))
        case _:
            return type(value).__name__


def bluntest_eye(alike: Sequence[Answer], unlike: Sequence[Answer]) -> Eye | None:
    """The bluntest under which all ``alike`` are one and any of ``unlike`` is another; ``None`` if there is none."""
    for eye in (outline, shape, whole):
        if len({eye(answer) for answer in alike}) > 1:
            return None
        known = eye(alike[0])
        if any(eye(answer) != known for answer in unlike):
            return eye
    return None
