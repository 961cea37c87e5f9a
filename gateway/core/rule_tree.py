"""Compiled rules in a tree that is searched in rank order: the time a match takes does not grow with their number.

Patterns that begin alike share nodes. The search walks *groups*: all the nodes that the path can reach by one sequence
of kinds, each with the set of positions in the path (bits of an integer) at which it can be reached. Kinds are tried in
the order of ``Kind``, so the first group that accepts the whole path with a rule of the request's method has the best
rank. A sequence of kinds is visited once at most. Without ``**`` a group is one node at one position, which
``_walk`` treats without the bookkeeping.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.pattern import Kind, Pattern, filled
from gateway.core.rule import ANY, METHODS, Rule

ORIGINS = {"admin": 0, "file": 1, "default": 2}

_CANDIDATES = {method: (method, ANY) for method in METHODS} | {"HEAD": ("HEAD", "GET", ANY), ANY: (ANY,)}


def candidates(method: str) -> tuple[str, ...]:
    """The methods of rules that such a request can meet, best first. HEAD is asked of the upstream like GET."""
    return _CANDIDATES.get(method) or (method, ANY)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A compiled rule."""

    rule: Rule
    pattern: Pattern

    @property
    def origin_rank(self) -> int:
        """The smaller is preferred among rules of equal rank and method."""
        return ORIGINS[self.rule.origin.kind]

    def tie(self, path: tuple[str, ...]) -> tuple[int, ...]:
        """Where the literals stand in a path that matches; decides between equals, the leftmost literals win.

        Two entries of equal rank that agree in all of them have the same literals, so they are equal rules.
        """
        starts = self.pattern.place(path) or ()
        kinds = self.pattern.rank[: len(starts)]
        return tuple(at for at, kind in zip(starts, kinds, strict=True) if kind is Kind.LITERAL)


_FEW = 4


class _Node:
    """What can follow one beginning of patterns, and the rules that end here, the preferred one per method.

    Among thousands of rules a match costs as many places in memory as it reads, so there are few: ``entry`` is the
    first of the rules, ``method`` its method, ``others`` has the rest; up to four literals are ``names``, shared with
    all nodes that have the same, and ``children``, more are ``literals``.
    """

    __slots__ = ("children", "entry", "literals", "method", "names", "others", "param", "rest", "star", "tail")

    def __init__(self) -> None:
        self.method = ""
        self.entry: Entry | None = None
        self.others: dict[str, Entry] | None = None
        self.names: tuple[str, ...] = ()
        self.children: tuple[_Node, ...] = ()
        self.literals: dict[str, _Node] | None = None
        self.param: _Node | None = None
        self.star: _Node | None = None
        self.tail: _Node | None = None
        self.rest: _Node | None = None

    def literal(self, text: str) -> "_Node | None":
        """What follows if the next segment is ``text``."""
        if self.literals is not None:
            return self.literals.get(text)
        return self.children[self.names.index(text)] if text in self.names else None

    def pack(self, alike: dict[tuple[str, ...], tuple[str, ...]]) -> "list[_Node]":
        """Nothing is added any more. Returns what follows; ``alike`` keeps one of each set of names."""
        literals = self.literals or {}
        following = [*literals.values(), self.param, self.star, self.tail, self.rest]
        if len(literals) <= _FEW:
            names = tuple(literals)
            self.names, self.children, self.literals = alike.setdefault(names, names), tuple(literals.values()), None
        return [node for node in following if node is not None]


_Group = list[tuple[_Node, int]]


class _Request(NamedTuple):
    """``filled``: the positions (as bits) of segments that are not empty."""

    path: tuple[str, ...]
    methods: tuple[str, ...]
    filled: int


class RuleTree:
    """Entries by rank. Of entries alike in method and shape, the one of the preferred origin is kept."""

    __slots__ = ("_root",)

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._root = _Node()
        for entry in entries:
            self._add(entry)
        alike: dict[tuple[str, ...], tuple[str, ...]] = {}
        waiting = [self._root]
        while waiting:
            waiting += waiting.pop().pack(alike)

    def find(self, method: str, path: tuple[str, ...]) -> Entry | None:
        """The entry of the best rank that matches, or ``None``."""
        return _walk(self._root, 0, len(path), _Request(path, candidates(method), filled(path)))

    def _add(self, entry: Entry) -> None:
        node = self._root
        for index, (kind, text) in enumerate(entry.pattern.segments):
            if kind is Kind.LITERAL:
                node.literals = literals = {} if node.literals is None else node.literals
                node = literals.setdefault(text, _Node())
            else:
                name = "tail" if entry.pattern.is_tail(index) else kind.name.lower()
                child = getattr(node, name) or _Node()
                setattr(node, name, child)
                node = child
        method = entry.rule.method
        held = _ending(node, method)
        if held is None or entry.origin_rank < held.origin_rank:
            _end(node, method, entry)


def _walk(node: _Node, at: int, end: int, request: _Request) -> Entry | None:
    """Search below one node reached at one position."""
    found: Entry | None = None
    if at < end:
        child = node.literal(request.path[at])
        if child is not None:
            found = _walk(child, at + 1, end, request)
        if found is None and node.param is not None and request.path[at]:
            found = _walk(node.param, at + 1, end, request)
        if found is None and node.star is not None:
            found = _search(_step(Kind.STAR, [(node, 1 << at)], request), request)
        elif found is None and node.tail is not None:
            found = _first(node.tail, request.methods)
    else:
        found = _first(node, request.methods)
    if found is None and node.rest is not None:
        found = _search(_step(Kind.REST, [(node, 1 << at)], request), request)
    return found


def _first(node: _Node, methods: tuple[str, ...]) -> Entry | None:
    if node.method == methods[0]:
        return node.entry
    if node.entry is not None:
        for method in methods:
            if (entry := _ending(node, method)) is not None:
                return entry
    return None


def _ending(node: _Node, method: str) -> Entry | None:
    """The rule of a method that ends at a node."""
    if node.method == method:
        return node.entry
    return None if node.others is None else node.others.get(method)


def _end(node: _Node, method: str, entry: Entry) -> None:
    """Let a rule end at a node."""
    if node.entry is None or node.method == method:
        node.method, node.entry = method, entry
    else:
        node.others = {**(node.others or {}), method: entry}


def _search(group: _Group, request: _Request) -> Entry | None:
    """Search below a group, in the order of kinds."""
    for kind in Kind:
        if kind is Kind.END:
            found = _accepted(group, request)
        elif group_of_kind := _step(kind, group, request):
            found = _search(group_of_kind, request)
        else:
            found = None
        if found is not None:
            return found
    return None


def _accepted(group: _Group, request: _Request) -> Entry | None:
    """The best entry that ends where the path does. Ranks are equal in a group: method, origin and place decide."""
    end = len(request.path)
    accepted = [entry for node, mask in group if mask >> end and (entry := _first(node, request.methods)) is not None]
    if len(accepted) < 2:  # noqa: PLR2004  (nothing to decide)
        return accepted[0] if accepted else None
    return min(
        accepted,
        key=lambda entry: (request.methods.index(entry.rule.method), entry.origin_rank, entry.tie(request.path)),
    )


def _step(kind: Kind, group: _Group, request: _Request) -> _Group:
    """The group that one more segment of ``kind`` leads to; empty if the path cannot go there."""
    end = len(request.path)
    if kind is Kind.LITERAL:
        return [
            reached
            for node, mask in group
            if node.names or node.literals is not None
            for reached in _literals(node, mask, request.path)
        ]
    after: _Group = []
    for node, mask in group:
        lowest = mask & -mask
        one_on = ((mask & request.filled) << 1) & ((2 << end) - 1)
        all_on = (2 << end) - lowest
        if kind is Kind.REST:
            _reach(after, node.rest, all_on)
        elif kind is Kind.PARAM:
            _reach(after, node.param, one_on)
        else:
            _reach(after, node.star, one_on)
            _reach(after, node.tail, all_on & ~lowest)
    return after


def _reach(group: _Group, node: _Node | None, mask: int) -> None:
    if node is not None and mask:
        group.append((node, mask))


def _literals(node: _Node, mask: int, path: tuple[str, ...]) -> _Group:
    reached: dict[_Node, int] = {}
    # Look up before testing the bit: shifting the mask of a long path is dearer than a miss.
    for at in range((mask & -mask).bit_length() - 1, min(mask.bit_length(), len(path))):
        if (child := node.literal(path[at])) is not None and mask >> at & 1:
            reached[child] = reached.get(child, 0) | 2 << at
    return list(reached.items())
