"""What was read from YAML, with the place where each value was written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

Scalar = str | int | float | bool | None
Location = Sequence[str | int]


class Place(NamedTuple):
    """A position in a file; lines and columns count from 1. Line 0: the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value. ``key`` is its path inside its own file, for people: ``rules[3].weight``."""

    place: Place
    key: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    key: str
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping. ``key_places`` says where each key stands, which is where an unknown one is reported."""

    place: Place
    key: str
    entries: dict[str, "Node"]
    key_places: dict[str, Place]


Node = Leaf | Items | Table


def plain(node: Node) -> object:
    """The values alone, as pydantic takes them."""
    match node:
        case Leaf():
            return node.value
        case Items():
            return [plain(item) for item in node.items]
        case Table():
            return {key: plain(entry) for key, entry in node.entries.items()}


def child(node: Node, step: str | int) -> Node | None:
    """One step down, or ``None`` where there is nothing. A mapping where a list may stand is its only item."""
    match node, step:
        case Table(), 0:
            return node
        case Items(items=items), int() if 0 <= step < len(items):
            return items[step]
        case Table(entries=entries), str():
            return entries.get(step)
        case _:
            return None


def descend(node: Node, location: Location) -> tuple[Node, Location]:
    """The deepest node on the way to ``location``, and the steps for which there was none."""
    for taken, step in enumerate(location):
        below = child(node, step)
        if below is None:
            return node, location[taken:]
        node = below
    return node, ()


def joined(key: str, step: str | int) -> str:
    """The path of a step below ``key``."""
    if isinstance(step, int):
        return f"{key}[{step}]"
    return f"{key}.{step}" if key else step


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where a configuration was read: its files with a digest of each (to be watched), and the place of each value."""

    digests: Mapping[str, str] = field(default_factory=dict)
    root: Table = field(default_factory=lambda: Table(Place("built in"), "", {}, {}), repr=False)

    def __eq__(self, other: object) -> bool:
        """Where things were written does not make two configurations different."""
        return isinstance(other, Source)

    __hash__ = None  # type: ignore[assignment]

    @property
    def files(self) -> tuple[str, ...]:
        """The absolute paths of everything that was read, the main file first."""
        return tuple(self.digests)

    def place(self, *location: str | int) -> Place:
        """Where ``location`` was written, or the closest thing above it that was."""
        return descend(self.root, location)[0].place
