"""Rules: a method and a path pattern say what a request costs, who pays, and how.

Precedence: patterns are compared segment by segment from the left, a literal before ``{param}`` before ``*`` before
``**``; the first difference in kind decides, where the end of a pattern stands between ``*`` and ``**``. Then a
named method comes before ``ANY`` (for HEAD: HEAD, GET, ANY), then admin-made before file-made. Rules that are still
equal have different literals, which can both match through ``**`` (``/**/a/**`` and ``/**/b/**`` on ``/a/b``): the one
whose literals stand further left in the path wins.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.core.explain import Explanation, Loser, Why, losers
from gateway.core.pattern import Pattern, PatternError, parse_pattern
from gateway.core.profile import Profile
from gateway.core.rule import ANY, DEFAULT_RULE, METHODS, Origin, Rule, RuleError, RuleErrors
from gateway.core.rule_reach import Probe
from gateway.core.rule_tree import Entry, RuleTree

__all__ = [
    "ANY",
    "DEFAULT_RULE",
    "METHODS",
    "Explanation",
    "Loser",
    "Match",
    "Origin",
    "Rule",
    "RuleError",
    "RuleErrors",
    "RuleTable",
    "Shadowed",
]


@dataclass(frozen=True, slots=True)
class Match:
    """The rule that a request meets."""

    rule: Rule
    _pattern: Pattern | None = None
    _path: tuple[str, ...] = ()

    @property
    def params(self) -> Mapping[str, str]:
        """The pattern's parameters, as canonical segments (decoded and folded as the profile says)."""
        return {} if self._pattern is None else self._pattern.values(self._path)


@dataclass(frozen=True, slots=True)
class Shadowed:
    """A rule that never counts because others made in a preferred place (admin before file) take all its requests."""

    rule: Rule
    by: tuple[Rule, ...]


class RuleTable:
    """Compiled rules. Immutable; made by ``compile``. ``shadowed``: rules that are right but never count."""

    __slots__ = ("_default", "_entries", "_tree", "rules", "shadowed")

    def __init__(self, entries: Sequence[Entry], default: Rule, shadowed: tuple[Shadowed, ...]) -> None:
        self.rules = tuple(entry.rule for entry in entries)
        self.shadowed = shadowed
        self._entries = tuple(entries)
        self._tree = RuleTree(self._entries)
        self._default = Match(default)

    @classmethod
    def compile(
        cls,
        rules: Sequence[Rule],
        profile: Profile,
        *,
        own_prefixes: tuple[str, ...] = (),
        default: Rule = DEFAULT_RULE,
    ) -> "RuleTable":
        """Check and compile the rules; ``default`` is what no rule matches, its pattern is not looked at.

        Raises ``RuleErrors`` with everything that is wrong: pattern syntax, unknown methods, negative weights, rules
        that are equal within one kind of origin, and rules that can never match.
        """
        errors: list[RuleError] = []
        entries = _parsed(rules, profile, own_prefixes, errors)
        entries = _unequal(entries, errors)
        shadowed = _unreached(entries, profile, errors)
        if default.weight < 0:
            errors.append(RuleError(default, _NEGATIVE))
        if errors:
            places = {id(rule): place for place, rule in enumerate((*rules, default))}
            raise RuleErrors(tuple(sorted(errors, key=lambda error: places[id(error.rule)])))
        return cls(entries, default, shadowed)

    @property
    def default(self) -> Rule:
        """What counts where no rule matches."""
        return self._default.rule

    def match(self, method: str, segments: tuple[str, ...]) -> Match:
        """The rule that a request with this canonical target meets: always one."""
        entry = self._tree.find(method, segments)
        if entry is None:
            return self._default
        return Match(entry.rule, entry.pattern, segments)

    def explain(self, method: str, segments: tuple[str, ...]) -> Explanation:
        """The same with the reasons. Looks at every rule."""
        winner = self._tree.find(method, segments)
        match = self.match(method, segments)
        runners_up, other_methods = losers(self._entries, winner, method, segments)
        if winner is not None:
            runners_up += (Loser(self._default.rule, "the default takes what no other rule matches", Why("default")),)
        return Explanation(match.rule, match.params, runners_up, other_methods)


_NEGATIVE = "a weight is 0 (free) or more."


def _parsed(
    rules: Sequence[Rule], profile: Profile, own_prefixes: tuple[str, ...], errors: list[RuleError]
) -> list[Entry]:
    """Each rule by itself: method, weight, pattern."""
    entries = []
    for rule in rules:
        sound = rule.method in METHODS or rule.method == ANY
        if not sound:
            hint = f"write {rule.method.upper()}" if rule.method.upper() in {*METHODS, ANY} else f"use {ANY} or GET"
            errors.append(RuleError(rule, f"{rule.method!r} is not a method that is forwarded; {hint}."))
        if rule.weight < 0:
            errors.append(RuleError(rule, _NEGATIVE))
        try:
            pattern = parse_pattern(rule.pattern, profile, own_prefixes)
        except PatternError as error:
            errors.append(RuleError(rule, str(error)))
        else:
            if sound:
                entries.append(Entry(rule, pattern))
    return entries


def _unequal(entries: Iterable[Entry], errors: list[RuleError]) -> list[Entry]:
    """Without those that are equal to an earlier one of the same kind of origin."""
    kept: dict[object, Entry] = {}
    for entry in entries:
        first = kept.setdefault((entry.rule.origin.kind, entry.rule.method, entry.pattern.shape), entry)
        if first is not entry:
            errors.append(RuleError(entry.rule, f"it equals {first.rule.label}; keep one of the two."))
    return list(kept.values())


def _unreached(entries: Sequence[Entry], profile: Profile, errors: list[RuleError]) -> tuple[Shadowed, ...]:
    """Rules that never win: an error, or shadowed if they would win among rules of their own or a lesser origin."""
    shadowed = []
    probe, tree = Probe.of(entries, profile), RuleTree(entries)
    lesser: dict[int, RuleTree] = {}
    for entry in entries:
        winners = probe.winners(entry, tree)
        if not winners:
            continue
        origin = entry.origin_rank
        if origin not in lesser:
            lesser[origin] = RuleTree([other for other in entries if other.origin_rank >= origin])
        if (own_winners := probe.winners(entry, lesser[origin])) == ():
            shadowed.append(Shadowed(entry.rule, tuple(winner.rule for winner in winners)))
        else:
            named = ", ".join(winner.rule.label for winner in own_winners[:3])
            errors.append(RuleError(entry.rule, f"it can never match, all its requests go to {named}; remove it."))
    return tuple(shadowed)
