"""Why a request meets the rule it meets, and why the others lost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.core.pattern import Kind
from gateway.core.rule import ANY, Rule
from gateway.core.rule_tree import Entry, candidates

_KINDS = {
    Kind.END: "the end of the pattern",
    Kind.LITERAL: "a literal",
    Kind.PARAM: "a parameter",
    Kind.STAR: "`*`",
    Kind.REST: "`**`",
}
By = Literal["segment", "method", "origin", "place", "default"]


class Why(NamedTuple):
    """By what one rule goes before another, for who says it in other words. ``segment``: which one, from 1.

    ``better`` and ``worse``: what the two have there (kinds of segments, methods, origins).
    """

    by: By
    better: str = ""
    worse: str = ""
    segment: int | None = None


@dataclass(frozen=True, slots=True)
class Loser:
    """A rule that matches the path too, and why it does not count. ``why``: of runners-up, the same in parts."""

    rule: Rule
    reason: str
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """``runners_up`` in the order in which they would take over; ``other_methods``: rules for other methods only."""

    winner: Rule
    params: Mapping[str, str]
    runners_up: tuple[Loser, ...]
    other_methods: tuple[Loser, ...]


def losers(
    entries: Iterable[Entry], winner: Entry | None, method: str, path: tuple[str, ...]
) -> tuple[tuple[Loser, ...], tuple[Loser, ...]]:
    """Runners-up and rules for other methods, both in rank order. Looks at every rule: not for the hot path."""
    methods = candidates(method)
    matching = [entry for entry in entries if entry.pattern.place(path) is not None]
    able = sorted(
        (entry for entry in matching if entry.rule.method in methods and entry is not winner),
        key=lambda entry: (
            entry.pattern.rank,
            methods.index(entry.rule.method),
            entry.origin_rank,
            entry.tie(path),
        ),
    )
    others = sorted(
        (entry for entry in matching if entry.rule.method not in methods),
        key=lambda entry: (entry.pattern.rank, entry.rule.name),
    )
    return (
        tuple(Loser(entry.rule, *_reason(winner, entry)) for entry in able if winner is not None),
        tuple(Loser(entry.rule, f"for {entry.rule.method} only") for entry in others),
    )


def _reason(winner: Entry, loser: Entry) -> tuple[str, Why]:
    """The first thing in which the winner is better, as a sentence and in parts."""
    for place, (better, worse) in enumerate(zip(winner.pattern.rank, loser.pattern.rank, strict=False), start=1):
        if better is not worse:
            said = f"{_KINDS[better]} before {_KINDS[worse]} at segment {place}"
            return said, Why("segment", better.name.lower(), worse.name.lower(), place)
    ours, other = winner.rule, loser.rule
    if ours.method != other.method:
        said = "a named method before ANY" if other.method == ANY else "HEAD's own rule before GET's"
        return said, Why("method", ours.method, other.method)
    if winner.origin_rank != loser.origin_rank:
        return f"{ours.origin.kind} before {other.origin.kind}", Why("origin", ours.origin.kind, other.origin.kind)
    return "its literals stand further left in the path", Why("place")
