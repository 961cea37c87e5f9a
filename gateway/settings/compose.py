"""One YAML text → nodes with their places, by the parser of libyaml where that is sure to say what PyYAML says.

libyaml is ten times as fast, and differs in texts that hardly anybody writes: other sentences for mistakes, tabs, a
value that is left out, tags, ``?``. So only a whole success of it counts, of a text without these; all others are read
by PyYAML, whose sentences and places the tests hold. Nodes are composed in Python either way: libyaml's own composer
would end the process over a text that is nested too deeply.
"""

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.events import ScalarEvent
from yaml.nodes import Node, ScalarNode
from yaml.resolver import BaseResolver

try:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]
except ImportError:  # PyYAML was built without it
    CParser = None  # type: ignore[assignment,misc]

CORE = "tag:yaml.org,2002:"
_Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]
_UNSURE = re.compile(
    "[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"  # other than text and LF
    r"|[!?]|[|>][^ \n]*#"
)


class Loader(yaml.SafeLoader):
    """PyYAML's, with fewer implicit types than YAML 1.1 has."""

    yaml_implicit_resolvers: _Resolvers = {}  # noqa: RUF012  (PyYAML's own attribute)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9_]{0,17})", list("-+0123456789")),
    ("float", r"[-+]?[0-9]{1,18}\.[0-9]{0,18}", list("-+0123456789")),
):
    Loader.add_implicit_resolver(CORE + _tag, re.compile(rf"^(?:{_pattern})$"), _first)


class _UnsureError(yaml.YAMLError):
    """The two could differ in this."""


def compose(text: str) -> Node | None:
    """The root of the one document; ``None``: there is none. Raises ``yaml.YAMLError``, ``RecursionError``."""
    if CParser is not None and not _UNSURE.search(text):
        try:
            return _Fast(text).get_single_node()
        except (yaml.YAMLError, RecursionError):
            pass  # what is wrong with it, if anything, PyYAML says
    return Loader(text).get_single_node()


if CParser is not None:

    class _Fast(Composer, CParser, BaseResolver):
        """libyaml's events, PyYAML's composer."""

        yaml_implicit_resolvers = Loader.yaml_implicit_resolvers

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            BaseResolver.__init__(self)

        def compose_scalar_node(self, anchor: dict[Any, Node]) -> ScalarNode:
            """One value. Raises ``_UnsureError`` for one that was left out: the two put it in different places."""
            event = self.peek_event()
            if isinstance(event, ScalarEvent) and not event.value and event.implicit[0]:
                raise _UnsureError
            return super().compose_scalar_node(anchor)
