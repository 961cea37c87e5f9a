"""One YAML text → a tree that knows its places. YAML's traps are closed here.

Only ``true`` and ``false`` are booleans (``on``, ``no`` and ``yes`` are text), only plain decimal digits are numbers
(``12:30`` and ``0123`` are text), dates are text, a key may stand only once, tags and merge keys are refused.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.nodes import Node as YamlNode

from gateway.settings.compose import CORE, compose
from gateway.settings.places import Items, Leaf, Node, Place, Scalar, Table, joined
from gateway.settings.problems import SettingsProblem

_MOST_NODES = 200_000
_DEEPEST = 64


def _is_true(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_VALUES: dict[str, Callable[[str], Scalar]] = {
    CORE + "str": str,
    CORE + "int": lambda text: int(text.replace("_", "")),
    CORE + "float": float,
    CORE + "bool": _is_true,
    CORE + "null": lambda _: None,
}


class Unreadable(Exception):  # noqa: N818  (what it says about the file)
    """The text is no YAML that this configuration may be written in."""

    def __init__(self, problem: SettingsProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def parse(raw: bytes, file: str) -> tuple[Table, list[SettingsProblem]]:
    """The tree of ``raw``, and what is wrong with it but did not stop the reading. Raises ``Unreadable``."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unreadable(SettingsProblem(Place(file, line, 1), "", "is not UTF-8 text")) from None
    root = _compose(text, file)
    if root is None:
        return Table(Place(file, 1, 1), "", {}, {}), []
    reader = _Reader(file)
    tree = reader.node(root, "")
    if not isinstance(tree, Table):
        raise Unreadable(SettingsProblem(tree.place, "", "must be a mapping of keys such as listen and upstream"))
    return tree, reader.problems


def _compose(text: str, file: str) -> YamlNode | None:
    try:
        return compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file) if mark is None else Place(file, mark.line + 1, mark.column + 1)
        raise Unreadable(SettingsProblem(place, "", _sentence(error, text))) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = "contains a control character, which YAML does not allow"
        raise Unreadable(SettingsProblem(Place(file, line, 1), "", message)) from None
    except RecursionError:
        raise Unreadable(SettingsProblem(Place(file), "", "is nested too deeply")) from None


def _sentence(error: yaml.MarkedYAMLError, text: str) -> str:
    """YAML's complaint without a snippet of the file, which may hold a secret."""
    problem = error.problem or "cannot be read"
    if problem.startswith("found undefined alias"):
        return "is no valid YAML: an alias (*name) without its anchor; text that starts with * needs quotes"
    if "single document" in (error.context or ""):
        return "must be one document: --- starts a second one"
    mark = error.problem_mark
    line = text.splitlines()[mark.line] if mark is not None and mark.line < text.count("\n") + 1 and text else ""
    hint = "; inside { } and [ ], ${…} needs quotes" if "${" in line else ""
    if problem.startswith("mapping values"):
        hint = "; text with a colon in it may need quotes"
    return f"is no valid YAML: {problem}{hint}"


@dataclass(slots=True)
class _Reader:
    file: str
    problems: list[SettingsProblem] = field(default_factory=list)
    count: int = 0
    open: set[int] = field(default_factory=set)

    def node(self, node: YamlNode, key: str) -> Node:
        place = self.place(node)
        self.count += 1
        if self.count > _MOST_NODES:
            raise Unreadable(SettingsProblem(place, key, "is too large; aliases may have multiplied it"))
        if len(self.open) >= _DEEPEST:
            raise Unreadable(SettingsProblem(place, key, "is nested too deeply"))
        if id(node) in self.open:
            raise Unreadable(SettingsProblem(place, key, "contains itself through an alias"))
        self.open.add(id(node))
        try:
            return self._built(node, key, place)
        finally:
            self.open.discard(id(node))

    def place(self, node: YamlNode) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _built(self, node: YamlNode, key: str, place: Place) -> Node:
        if isinstance(node, ScalarNode):
            return Leaf(place, key, self._scalar(node, key, place))
        if node.tag not in (CORE + "map", CORE + "seq"):
            self.problems.append(SettingsProblem(place, key, "has a YAML tag (!…), which means nothing here"))
        if isinstance(node, SequenceNode):
            return Items(place, key, tuple(self.node(item, joined(key, n)) for n, item in enumerate(node.value)))
        return self._table(node, key, place)

    def _scalar(self, node: ScalarNode, key: str, place: Place) -> Scalar:
        make = _VALUES.get(node.tag)
        if make is None:
            self.problems.append(SettingsProblem(place, key, "has a YAML tag (!…), which means nothing here"))
            return str(node.value)
        try:
            return make(node.value)
        except (ValueError, KeyError):
            self.problems.append(SettingsProblem(place, key, "is not what its YAML tag says"))
            return str(node.value)

    def _table(self, node: YamlNode, key: str, place: Place) -> Table:
        entries: dict[str, Node] = {}
        places: dict[str, Place] = {}
        pairs = node.value if isinstance(node, MappingNode) else []
        for name_node, value in pairs:
            where = self.place(name_node)
            name = name_node.value if isinstance(name_node, ScalarNode) else ""
            if not name:
                self.problems.append(SettingsProblem(where, key, "a key must be a word"))
            elif name == "<<":
                self.problems.append(SettingsProblem(where, joined(key, name), "merge keys are not supported"))
            elif name in entries:
                message = f"is written twice; the first is on line {places[name].line}"
                self.problems.append(SettingsProblem(where, joined(key, name), message))
            else:
                places[name] = where
                entries[name] = self.node(value, joined(key, name))
        return Table(place, key, entries, places)
