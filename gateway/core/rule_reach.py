"""Whether a rule can ever win: it is asked for with the paths that give it the best chance.

If a rule wins for some path, it also wins when every segment under its wildcards is replaced by a word that no rule
knows: fewer rules match then, and none that did not before. So paths made of the rule's literals and such a word are
enough. A run of words longer than every pattern can only be crossed with a ``**`` or a last ``*``, which would cross a
longer one just as well: so runs up to one more than the longest pattern are enough.

A rule that would win for nothing but empty segments (``/a/*`` behind ``/a/{x}/**``: only ``/a//b``) counts as useless.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod

from gateway.core.pattern import Kind, Pattern
from gateway.core.profile import Profile
from gateway.core.rule import ANY, METHODS
from gateway.core.rule_tree import Entry, RuleTree

MAX_TRIED = 4_096
"""A rule with so many ``**`` that more paths would have to be tried is taken to be reachable."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What rules are asked with: a ``word`` that no rule knows, in runs of up to one more than the ``longest`` pattern.

    ``free_methods``: one that no rule names, where there is one: the best chance for ``ANY``.
    """

    word: str
    longest: int
    free_methods: tuple[str, ...]
    profile: Profile

    @classmethod
    def of(cls, entries: Sequence[Entry], profile: Profile) -> "Probe":
        """A probe for rules that are matched together."""
        literals = {text for entry in entries for _, text in entry.pattern.segments}
        word = "x"
        while word in literals:
            word += "x"
        named = {entry.rule.method for entry in entries}
        # A method that no rule names meets only ANY. HEAD is never free: it meets what names GET.
        unnamed = sorted(METHODS - named - {"HEAD"})[:1]
        longest = max((len(entry.pattern.segments) for entry in entries), default=0)
        return cls(word, longest, tuple(unnamed or sorted(METHODS)), profile)

    def winners(self, entry: Entry, tree: RuleTree) -> tuple[Entry, ...]:
        """Who wins wherever ``entry`` matches, if it never wins itself; else nothing."""
        methods = self.free_methods if entry.rule.method == ANY else (entry.rule.method,)
        lengths = [self._lengths(entry.pattern, index) for index in range(len(entry.pattern.segments))]
        winners: dict[Entry, None] = {}
        for chosen in islice(product(*lengths), MAX_TRIED):
            path = self._path(entry.pattern, chosen)
            for method in methods if self._possible(path) else ():
                winner = tree.find(method, path)
                if winner is None or winner is entry:
                    return ()
                winners[winner] = None
        return tuple(winners) if prod(map(len, lengths)) <= MAX_TRIED else ()

    def _path(self, pattern: Pattern, lengths: tuple[int, ...]) -> tuple[str, ...]:
        path: list[str] = []
        for (kind, text), length in zip(pattern.segments, lengths, strict=True):
            path += [text if kind is Kind.LITERAL else self.word] * length
        return tuple(path)

    def _lengths(self, pattern: Pattern, index: int) -> range:
        if pattern.segments[index].kind is Kind.REST:
            return range(self.longest + 2)
        return range(1, self.longest + 2) if pattern.is_tail(index) else range(1, 2)

    def _possible(self, path: tuple[str, ...]) -> bool:
        """Whether some target has these segments: an empty one begins none, and ends it where a slash counts."""
        return not path or (bool(path[0]) and (bool(path[-1]) or self.profile.trailing_slash == "significant"))
