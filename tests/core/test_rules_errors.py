import pytest

from gateway.core.rules import ANY, METHODS, Origin, Rule, RuleErrors, RuleTable
from gateway.core.target import PROFILES, Profile

STRICT, FIBER = PROFILES["strict"], PROFILES["fiber"]
OWN = ("/billing", "/-/")


def rule(text: str, line: int = 1, kind: str = "file", weight: int = 1) -> Rule:
    method, pattern = text.split(" ", 1)
    origin = Origin("admin", "admin panel") if kind == "admin" else Origin("file", f"gateway.yaml:{line}")
    return Rule(method, pattern, weight, origin=origin)


def rules(*texts: str) -> list[Rule]:
    return [rule(text, line) for line, text in enumerate(texts, start=1)]


def errors(*made: Rule, profile: Profile = STRICT) -> list[str]:
    with pytest.raises(RuleErrors) as caught:
        RuleTable.compile(made, profile, own_prefixes=OWN)
    assert str(caught.value) == "\n".join(map(str, caught.value.errors))
    return [str(error) for error in caught.value.errors]


def test_an_admin_rule_that_never_counts_is_an_error() -> None:
    file, admin = rule("ANY /a/{x}/b", 4), rule("ANY /a/*/b", kind="admin")
    (error,) = errors(file, admin)
    assert error.startswith("admin panel: rule ANY /a/*/b: it can never match, all its requests go to ")
    assert error.endswith("ANY /a/{x}/b (gateway.yaml:4); remove it.")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a/b", "starts with `/`"),
        ("", "starts with `/`"),
        ("/a?b=c", "queries are not matched"),
        ("/a*", "`a*` is neither"),
        ("/***", "`***` is neither"),
        ("/{a}.json", "`{a}.json` is neither"),
        ("/{}/x", "`{}` is neither"),
        ("/:/x", "`:` is neither"),
        ("/{a}/:a", "`a` is there twice"),
        ("/a b", "Percent-encode it"),
        ("/a#b", "fragment"),
        ("/a//b", "profile strict refuses it"),
        ("/a/../b", "profile strict refuses it"),
        ("/a/%zz", "profile strict refuses it"),
        ("/" + "a/" * 64, "at most 64 segments"),
        ("/billing", "the gateway's own"),
        ("/Billing/{x}", "the gateway's own"),
        ("/-/**", "the gateway's own"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_an_error(pattern: str, said: str) -> None:
    (error,) = errors(rule(f"GET {pattern}", 9))
    assert error.startswith(f"gateway.yaml:9: rule GET {pattern}: ")
    assert said in error


def test_a_wildcard_that_reaches_beyond_own_prefixes_is_no_error() -> None:
    compiled = RuleTable.compile(rules("GET /**/billing", "GET /{x}/plan"), STRICT, own_prefixes=OWN)
    assert compiled.match("GET", ("a", "billing")).rule.name == "GET /**/billing"


def test_unknown_methods_and_negative_weights_are_errors() -> None:
    assert errors(rule("get /a"), rule("BREW /a", 2), rule("CONNECT /a", 3), rule("any /b", 4)) == [
        "gateway.yaml:1: rule get /a: 'get' is not a method that is forwarded; write GET.",
        "gateway.yaml:2: rule BREW /a: 'BREW' is not a method that is forwarded; use ANY or GET.",
        "gateway.yaml:3: rule CONNECT /a: 'CONNECT' is not a method that is forwarded; use ANY or GET.",
        "gateway.yaml:4: rule any /b: 'any' is not a method that is forwarded; write ANY.",
    ]
    assert "0 (free) or more" in errors(rule("GET /a", weight=-1))[0]
    with pytest.raises(RuleErrors, match=r"rule ANY /\*\*: a weight is 0"):
        RuleTable.compile([], STRICT, default=Rule(ANY, "/**", -1))


def test_every_problem_is_listed_in_the_order_of_the_rules() -> None:
    found = errors(
        rule("GET /a/*/b", 1),
        rule("GET /a/{x}/b/**", 2),
        rule("PUT x", 3, weight=-2),
        rule("brew /x", 4),
        rule("GET /a/:y/b/**", 5),
        rule("POST /", 6),
        rule("GET /a/*/b/**", 7),
    )
    assert [(error.split(": ")[0], error.split(": ")[2].split(" ")[0]) for error in found] == [
        ("gateway.yaml:1", "it"),
        ("gateway.yaml:3", "a"),
        ("gateway.yaml:3", "a"),
        ("gateway.yaml:4", "'brew'"),
        ("gateway.yaml:5", "it"),
        ("gateway.yaml:7", "it"),
    ]


def test_two_rules_are_equal_if_only_names_of_parameters_differ() -> None:
    assert errors(rule("GET /a/{x}", 1), rule("GET /a/:y", 2)) == [
        "gateway.yaml:2: rule GET /a/:y: it equals GET /a/{x} (gateway.yaml:1); keep one of the two."
    ]
    assert len(errors(rule("GET /A/", 1), rule("GET /a", 2), profile=FIBER)) == 1
    assert len(errors(rule("GET /a", kind="admin"), rule("GET /%61", kind="admin"))) == 1


@pytest.mark.parametrize(
    ("useless", "others"),
    [
        ("GET /a/*/b", ["GET /a/{x}/b"]),
        ("GET /a/*", ["GET /a/{x}/**"]),
        ("GET /a/**/*", ["GET /a/*"]),
        ("ANY /a/**", ["ANY /a", "ANY /a/{x}", "ANY /a/{x}/*"]),
        ("HEAD /a/*/b", ["GET /a/{x}/b"]),
        ("GET /**/**/b", ["GET /**/b"]),
    ],
)
def test_a_rule_that_can_never_match_is_an_error(useless: str, others: list[str]) -> None:
    (error,) = errors(*rules(useless, *others))
    assert error.startswith(f"gateway.yaml:1: rule {useless}: it can never match, all its requests go to {others[0]}")


def test_a_rule_that_wins_only_for_paths_that_no_target_has_is_an_error() -> None:
    assert "it can never match" in errors(*rules("GET /**/", "GET /{x}/**/"))[0]
    assert "it can never match" in errors(*rules("GET /a//**", "GET /a//*"), profile=FIBER)[0]


def test_any_can_be_used_up_by_named_methods_only_if_all_are_named() -> None:
    named = [f"{method} /a" for method in sorted(METHODS)]
    assert RuleTable.compile(rules("ANY /a", *named[1:]), STRICT).match("ACL", ("a",)).rule.name == "ANY /a"
    assert "it can never match" in errors(*rules("ANY /a", *named))[0]


def test_a_rule_with_too_many_wildcards_to_try_is_taken_to_be_reachable() -> None:
    wide = "GET " + "/**" * 7 + "/a"
    compiled = RuleTable.compile(rules("GET /**/a", wide), STRICT)
    assert compiled.match("GET", ("a",) * 6).rule.name == "GET /**/a"
