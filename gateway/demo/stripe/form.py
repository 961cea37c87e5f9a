"""Stripe's way of writing nested values into a form: ``line_items[0][price]=price_1``."""

import re
from collections.abc import Iterable
from typing import Any

_STEP = re.compile(r"\[([^\]]*)\]")
_DEEPEST = 8

Form = dict[str, Any]


def parsed(pairs: Iterable[tuple[str, str]]) -> Form:
    """The tree that these fields describe: mappings and lists of text. Raises ``ValueError`` for one too deep."""
    root: Form = {}
    for name, value in pairs:
        first, _, rest = name.partition("[")
        steps = [first, *_STEP.findall(f"[{rest}" if rest else "")]
        if len(steps) > _DEEPEST:
            raise ValueError("too deep")
        at = root
        for step in steps[:-1]:
            at = at.setdefault(step or str(len(at)), {})
        last = steps[-1]
        at[last or str(len(at))] = value
    return {name: _lists(value) for name, value in root.items()}


def _lists(value: Any) -> Any:  # noqa: ANN401  (a tree of text)
    """Mappings with 0, 1, 2, … for keys are lists."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(inner) for key, inner in value.items()}


def flag(value: object) -> bool:
    """``true`` is true."""
    return value is True or value == "true"
