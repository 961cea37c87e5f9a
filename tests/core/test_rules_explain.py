import pytest

from gateway.core.explain import Why
from gateway.core.rules import DEFAULT_RULE, Origin, Rule, RuleTable
from gateway.core.target import PROFILES


def rule(text: str, origin: Origin) -> Rule:
    method, pattern = text.split(" ", 1)
    return Rule(method, pattern, origin=origin)


def table(*texts: str, admin: str = "") -> RuleTable:
    made = [rule(text, Origin("file", f"gateway.yaml:{line}")) for line, text in enumerate(texts, 1)]
    made += [rule(admin, Origin("admin", "panel"))] if admin else []
    return RuleTable.compile(made, PROFILES["strict"])


def test_an_explanation_names_winner_runners_up_and_rules_for_other_methods() -> None:
    compiled = table("GET /m/send", "GET /m/{id}", "ANY /m/*", "GET /**", "POST /m/send", "PUT /m/*", "GET /x")
    explained = compiled.explain("GET", ("m", "send"))
    assert explained.winner.name == "GET /m/send"
    assert [(loser.rule.name, loser.reason) for loser in explained.runners_up] == [
        ("GET /m/{id}", "a literal before a parameter at segment 2"),
        ("ANY /m/*", "a literal before `*` at segment 2"),
        ("GET /**", "a literal before `**` at segment 1"),
        (DEFAULT_RULE.name, "the default takes what no other rule matches"),
    ]
    assert [(loser.rule.name, loser.reason) for loser in explained.other_methods] == [
        ("POST /m/send", "for POST only"),
        ("PUT /m/*", "for PUT only"),
    ]


@pytest.mark.parametrize(
    ("texts", "admin", "method", "path", "reason", "why"),
    [
        (
            ["GET /a", "GET /a/**"],
            "",
            "GET",
            ("a",),
            "the end of the pattern before `**` at segment 2",
            Why("segment", "end", "rest", 2),
        ),
        (["GET /a", "ANY /a"], "", "GET", ("a",), "a named method before ANY", Why("method", "GET", "ANY")),
        (["HEAD /a", "GET /a"], "", "HEAD", ("a",), "HEAD's own rule before GET's", Why("method", "HEAD", "GET")),
        (["GET /a"], "GET /a", "GET", ("a",), "admin before file", Why("origin", "admin", "file")),
        (
            ["GET /**/a/**", "GET /**/b/**"],
            "",
            "GET",
            ("a", "b"),
            "its literals stand further left in the path",
            Why("place"),
        ),
    ],
)
def test_a_loser_is_told_the_first_thing_in_which_the_winner_is_better(
    texts: list[str], admin: str, method: str, path: tuple[str, ...], reason: str, why: Why
) -> None:
    loser, default = table(*texts, admin=admin).explain(method, path).runners_up
    assert (loser.reason, loser.why, default.why) == (reason, why, Why("default"))


def test_parameters_are_explained_too() -> None:
    assert table("GET /w/{id}").explain("GET", ("w", "7")).params == {"id": "7"}


def test_where_no_rule_matches_the_default_wins_and_nobody_runs_up() -> None:
    explained = table("GET /a", "POST /b").explain("GET", ("b",))
    assert explained.winner is DEFAULT_RULE
    assert explained.runners_up == ()
    assert [loser.rule.name for loser in explained.other_methods] == ["POST /b"]
