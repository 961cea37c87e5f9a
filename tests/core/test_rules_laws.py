"""The tree against an oracle that sorts every matching rule, and the list of useless rules against trying all paths."""

from collections.abc import Sequence
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.pattern import parse_pattern
from gateway.core.rule_tree import Entry
from gateway.core.rules import ANY, DEFAULT_RULE, Origin, Rule, RuleErrors, RuleTable
from gateway.core.target import PROFILES

STRICT = PROFILES["strict"]
KINDS = {"{p}": 1, "*": 2, "**": 4}
END = 3
PIECES = ("a", "b", "{p}", "*", "**")
Path = tuple[str, ...]


def placements(pattern: Path, path: Path, at: int = 0) -> list[tuple[int, ...]]:
    """Every way in which the pattern covers ``path[at:]``: where each of its segments begins."""
    if not pattern:
        return [()] if at == len(path) else []
    head, rest = pattern[0], pattern[1:]
    if head == "**":
        ends = range(at, len(path) + 1)
    elif head == "*" and not rest:
        ends = range(at + 1, len(path) + 1)
    else:
        here = at < len(path) and (bool(path[at]) if head in KINDS else head == path[at])
        ends = range(at + 1, at + 2) if here else range(0)
    return [(at, *more) for end in ends if end <= len(path) for more in placements(rest, path, end)]


def pieces_of(rule: Rule) -> Path:
    return tuple(rule.pattern[1:].split("/")) if rule.pattern != "/" else ()


def oracle(rules: Sequence[Rule], method: str, path: Path) -> Rule:
    """Product rules, literally: kinds from the left (the shorter first), method, origin, literals from the left."""
    methods = {"HEAD": ["HEAD", "GET", ANY]}.get(method, [method, ANY])
    matching = []
    for rule in rules:
        pattern = pieces_of(rule)
        ways = placements(pattern, path)
        if ways and rule.method in methods:
            places = [at for at, piece in zip(min(ways), pattern, strict=True) if piece not in KINDS]
            rank = [*(KINDS.get(piece, 0) for piece in pattern), END]
            matching.append((rank, methods.index(rule.method), rule.origin.kind, places, rule))
    return min(matching, key=lambda found: found[:4])[4] if matching else DEFAULT_RULE


def table_of(rules: Sequence[Rule]) -> RuleTable:
    """Compiled without asking whether each rule is of use."""
    return RuleTable([Entry(rule, parse_pattern(rule.pattern, STRICT)) for rule in rules], DEFAULT_RULE, ())


def made(method: str, pieces: Sequence[str], kind: str) -> Rule:
    named = [f"{{p{place}}}" if piece == "{p}" else piece for place, piece in enumerate(pieces)]
    origin = Origin("admin", "panel") if kind == "admin" else Origin("file", "gateway.yaml:1")
    return Rule(method, "/" + "/".join(named), origin=origin)


def rule_lists(longest: int, methods: Sequence[str], literals: Sequence[str]) -> st.SearchStrategy[list[Rule]]:
    """Rules of two skeletons, so that many of them compete. ``/`` stands for a literal."""
    skeleton = st.lists(st.sampled_from(["/", "/", "{p}", "*", "**", "**"]), max_size=longest)
    filling = st.lists(st.sampled_from(literals), min_size=longest, max_size=longest)
    row = st.tuples(st.booleans(), filling, st.sampled_from(methods), st.sampled_from(["file", "file", "admin"]))

    def built(skeletons: tuple[list[str], list[str]], rows: list[tuple[bool, list[str], str, str]]) -> list[Rule]:
        rules: dict[object, Rule] = {}
        for second, filled, method, kind in rows:
            kinds = skeletons[second]
            pieces = tuple(text if piece == "/" else piece for piece, text in zip(kinds, filled, strict=False))
            rules[method, pieces, kind] = made(method, pieces, kind)
        return list(rules.values())

    return st.builds(built, st.tuples(skeleton, skeleton), st.lists(row, min_size=1, max_size=8))


def united(lists: Sequence[list[Rule]]) -> list[Rule]:
    """All the rules, equal ones once."""
    return list({(rule.name, rule.origin): rule for rules in lists for rule in rules}.values())


def normal(rule: Rule) -> Rule:
    """With one name for all parameters, as the oracle reads them."""
    pieces = ["{p}" if piece.startswith("{") else piece for piece in pieces_of(rule)]
    return Rule(rule.method, "/" + "/".join(pieces), origin=rule.origin)


PATHS = st.lists(st.sampled_from(["a", "b", "b", "c", ""]), max_size=6).map(tuple)
RULES = rule_lists(5, ["GET", "HEAD", "POST", ANY], "ab")


@settings(max_examples=400)
@given(rules=RULES, method=st.sampled_from(["GET", "HEAD", "POST", "PUT"]), paths=st.lists(PATHS, min_size=5))
def test_the_tree_finds_what_the_oracle_finds(rules: list[Rule], method: str, paths: list[Path]) -> None:
    table, plain = table_of(rules), [*map(normal, rules)]
    for path in paths:
        assert normal(table.match(method, path).rule) == normal(oracle(plain, method, path))


@settings(max_examples=100)
@given(rules=RULES, method=st.sampled_from(["GET", "HEAD"]), path=PATHS)
def test_the_next_runner_up_takes_over_when_the_winner_goes(rules: list[Rule], method: str, path: Path) -> None:
    left = list(rules)
    explained = table_of(left).explain(method, path)
    order = [explained.winner, *(loser.rule for loser in explained.runners_up)]
    for expected in order:
        match = table_of(left).match(method, path)
        assert (match.rule, match.params) == (expected, table_of(left).explain(method, path).params)
        left = [rule for rule in left if rule is not match.rule]
    assert order[-1] is DEFAULT_RULE


@settings(max_examples=200)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=5).map(tuple), path=PATHS)
def test_parameters_are_those_of_the_leftmost_placement(pieces: Path, path: Path) -> None:
    rule = made("GET", pieces, "file")
    ways = placements(pieces, path)
    match = table_of([rule]).match("GET", path)
    assert (match.rule is rule) == bool(ways)
    if ways:
        at = min(ways)
        assert match.params == {f"p{place}": path[at[place]] for place, piece in enumerate(pieces) if piece == "{p}"}


ALL_PATHS = [path for length in range(8) for path in product("az", repeat=length)]


def useful(rules: Sequence[Rule]) -> set[int]:
    """The rules that win for some request, found by making every short one."""
    table = table_of(rules)
    return {id(table.match(method, path).rule) for method in ("GET", "HEAD", "PUT") for path in ALL_PATHS}


@settings(max_examples=150, deadline=None)
@given(rules=st.tuples(*[rule_lists(3, ["GET", "GET", "HEAD", ANY], "a")] * 2).map(united))
def test_exactly_the_rules_that_never_win_are_reported(rules: list[Rule]) -> None:
    winning = useful(rules)
    winning_in_files = useful([rule for rule in rules if rule.origin.kind == "file"])
    useless = [rule for rule in rules if id(rule) not in winning]
    shadowed = [rule for rule in useless if rule.origin.kind == "file" and id(rule) in winning_in_files]
    wrong = [rule for rule in useless if rule not in shadowed]
    try:
        table = RuleTable.compile(rules, STRICT)
    except RuleErrors as errors:
        reported = [error.rule for error in errors.errors]
    else:
        reported = []
        assert [entry.rule for entry in table.shadowed] == shadowed
    assert reported == wrong
