import httptools

from gateway.core.rules import ANY, DEFAULT_RULE, METHODS, Origin, Rule, RuleTable, Shadowed
from gateway.core.target import PROFILES, Profile, canonical_target

STRICT, FIBER = PROFILES["strict"], PROFILES["fiber"]
OWN = ("/billing", "/-/")


def rule(text: str, line: int = 1, kind: str = "file", weight: int = 1) -> Rule:
    method, pattern = text.split(" ", 1)
    origin = Origin("admin", "admin panel") if kind == "admin" else Origin("file", f"gateway.yaml:{line}")
    return Rule(method, pattern, weight, origin=origin)


def rules(*texts: str) -> list[Rule]:
    return [rule(text, line) for line, text in enumerate(texts, start=1)]


def table(*texts: str, profile: Profile = STRICT) -> RuleTable:
    return RuleTable.compile(rules(*texts), profile, own_prefixes=OWN)


def met(compiled: RuleTable, request: str, profile: Profile = STRICT) -> str:
    method, path = request.split(" ", 1)
    return compiled.match(method, canonical_target(method, path.encode(), profile).segments).rule.name


def test_a_literal_comes_before_a_parameter_before_a_star_before_two() -> None:
    compiled = table("GET /a/**", "GET /a/*", "GET /a/{id}", "GET /a/b")
    assert met(compiled, "GET /a/b") == "GET /a/b"
    assert met(compiled, "GET /a/c") == "GET /a/{id}"
    assert met(compiled, "GET /a/c/d") == "GET /a/*"
    assert met(compiled, "GET /a") == "GET /a/**"


def test_the_first_difference_from_the_left_decides() -> None:
    compiled = table("GET /a/{x}/{y}", "GET /{w}/b/c")
    assert met(compiled, "GET /a/b/c") == "GET /a/{x}/{y}"
    assert met(compiled, "GET /z/b/c") == "GET /{w}/b/c"


def test_many_names_at_one_place_are_told_apart_and_so_are_few() -> None:
    for number in (1, 4, 5, 50):
        compiled = table(*(f"GET /{{x}}/n{n}/{{y}}" for n in range(number)), "GET /**/z/n0")
        for n in (0, number - 1):
            assert met(compiled, f"GET /a/n{n}/c") == f"GET /{{x}}/n{n}/{{y}}"
        assert met(compiled, f"GET /a/n{number}/c") == DEFAULT_RULE.name
        assert met(compiled, "GET /a/b/z/n0") == "GET /**/z/n0"


def test_a_pattern_that_ends_first_wins() -> None:
    compiled = table("GET /a", "GET /a/**", "POST /m/*", "POST /m/{id}/like")
    assert met(compiled, "GET /a") == "GET /a"
    assert met(compiled, "POST /m/7/like") == "POST /m/{id}/like"
    assert met(compiled, "POST /m/7/x/y") == "POST /m/*"


def test_matching_backtracks() -> None:
    compiled = table("GET /a/b/c", "GET /{x}/b/d", "GET /**/e")
    assert met(compiled, "GET /a/b/d") == "GET /{x}/b/d"
    assert met(compiled, "GET /a/b/e") == "GET /**/e"
    assert met(compiled, "GET /a/b/f") == DEFAULT_RULE.name


def test_an_inner_star_is_one_segment_and_a_last_star_one_or_more() -> None:
    compiled = table("GET /a/*/b", "GET /c/*")
    assert met(compiled, "GET /a/x/b") == "GET /a/*/b"
    assert met(compiled, "GET /a/x/y/b") == "ANY /**"
    assert met(compiled, "GET /c/x/y") == "GET /c/*"
    assert met(compiled, "GET /c") == "ANY /**"


def test_two_stars_are_any_number_of_segments_anywhere() -> None:
    compiled = table("GET /**/a/**/b", "GET /c/**")
    for path in ("/a/b", "/x/a/b", "/a/x/y/b", "/a/a/b/b"):
        assert met(compiled, f"GET {path}") == "GET /**/a/**/b"
    assert met(compiled, "GET /b/a") == "ANY /**"
    assert met(compiled, "GET /c") == met(compiled, "GET /c/x/y") == "GET /c/**"


def test_a_named_method_comes_before_any_at_equal_path_only() -> None:
    compiled = table("ANY /a/b", "GET /a/b", "GET /a/{x}")
    assert met(compiled, "GET /a/b") == "GET /a/b"
    assert met(compiled, "POST /a/b") == "ANY /a/b"
    assert met(table("ANY /a/b", "GET /a/{x}"), "GET /a/b") == "ANY /a/b"


def test_a_rule_of_another_method_does_not_hide_a_more_general_one() -> None:
    compiled = table("POST /a/b", "GET /a/{x}", "PUT /**")
    assert met(compiled, "GET /a/b") == "GET /a/{x}"
    assert met(compiled, "PUT /a/b") == "PUT /**"
    assert met(compiled, "DELETE /a/b") == "ANY /**"


def test_head_uses_the_rule_of_get_unless_it_has_its_own() -> None:
    compiled = table("GET /a", "ANY /a", "GET /b", "HEAD /b", "ANY /c", "HEAD /**", "GET /d")
    assert met(compiled, "HEAD /a") == "GET /a"
    assert met(compiled, "HEAD /b") == "HEAD /b"
    assert met(compiled, "HEAD /c") == "ANY /c"
    assert met(compiled, "HEAD /d") == "GET /d"
    assert met(compiled, "HEAD /e") == "HEAD /**"


def test_an_admin_rule_comes_before_an_equal_file_rule_which_is_named_as_shadowed() -> None:
    file, admin = rule("GET /a/{x}", 7, weight=2), rule("GET /a/:y", kind="admin", weight=3)
    for made in ([file, admin], [admin, file]):
        compiled = RuleTable.compile(made, STRICT)
        assert compiled.match("GET", ("a", "b")).rule is admin
        assert compiled.shadowed == (Shadowed(file, (admin,)),)
        assert compiled.rules == tuple(made)


def test_a_file_rule_behind_a_wider_admin_rule_is_shadowed_and_no_error() -> None:
    file, admin = rule("ANY /a/*/b"), rule("ANY /a/{x}/b", kind="admin")
    assert RuleTable.compile([file, admin], STRICT).shadowed == (Shadowed(file, (admin,)),)


def test_equals_whose_literals_differ_are_decided_by_the_leftmost_literal() -> None:
    for texts in (["GET /**/a/**", "GET /**/b/**"], ["GET /**/b/**", "GET /**/a/**"]):
        compiled = table(*texts)
        assert met(compiled, "GET /a/b") == "GET /**/a/**"
        assert met(compiled, "GET /x/b/a") == "GET /**/b/**"
    compiled = table("GET /**/a/x/**", "GET /**/b/y/**")
    assert met(compiled, "GET /a/b/y/a/x") == "GET /**/b/y/**"
    compiled = table("ANY /**/a/**", "GET /**/b/**")
    assert met(compiled, "GET /a/b") == "GET /**/b/**"
    assert met(compiled, "POST /a/b") == "ANY /**/a/**"


def test_parameters_have_the_values_of_their_segments() -> None:
    compiled = table("GET /w/{workspace}/m/:id", "GET /**/x/{y}/**", "GET /free")
    assert compiled.match("GET", ("w", "7", "m", "8")).params == {"workspace": "7", "id": "8"}
    assert compiled.match("GET", ("a", "x", "x", "b")).params == {"y": "x"}
    assert compiled.match("GET", ("free",)).params == {}
    assert compiled.match("GET", ("none",)).params == {}


def test_what_no_rule_matches_meets_the_default() -> None:
    compiled = table("GET /a")
    assert compiled.match("GET", ()).rule is DEFAULT_RULE
    assert compiled.match("OPTIONS", ("*",)).rule is DEFAULT_RULE
    assert compiled.match("BREW", ("a",)).rule is DEFAULT_RULE
    mine = Rule(ANY, "/**", 0)
    assert RuleTable.compile([], STRICT, default=mine).match("ANY", ("x",)).rule is mine


def test_literals_are_read_like_targets_of_the_profile() -> None:
    compiled = table("GET /Contact/%41/", profile=FIBER)
    assert met(compiled, "GET /CONTACT/%41", FIBER) == "GET /Contact/%41/"
    assert met(compiled, "GET /contact/a", FIBER) == "ANY /**"
    compiled = table("GET /%63ontact/a%2Fb/", "GET /café/%2A", "GET /www/{w}/w0")
    assert met(compiled, "GET /contact/a%2fb/") == "GET /%63ontact/a%2Fb/"
    assert met(compiled, "GET /contact/a%2fb") == "ANY /**"
    assert met(compiled, "GET /caf%C3%A9/*") == "GET /café/%2A"
    assert met(compiled, "GET /www/x/w0") == "GET /www/{w}/w0"
    decoded = table("GET /a%2Fb/{x}", profile=PROFILES["decoded"])
    assert met(decoded, "GET /a/b/c", PROFILES["decoded"]) == "GET /a%2Fb/{x}"


def test_a_pattern_with_a_lone_surrogate_does_no_harm() -> None:
    assert table("GET /\ud800/x").match("GET", ("%ED%A0%80", "x")).rule.method == "GET"


def test_an_empty_segment_is_no_parameter_and_for_the_rest_counts_like_any_other() -> None:
    compiled = table("GET /a/{x}", "GET /b/*", "GET /c/", "GET /**/d/")
    assert met(compiled, "GET /a/") == "ANY /**"
    assert met(compiled, "GET /b/") == "GET /b/*"
    assert met(compiled, "GET /c/") == "GET /c/"
    assert met(compiled, "GET /c") == "ANY /**"
    assert met(compiled, "GET /d/") == "GET /**/d/"


def test_a_handler_for_the_rest_is_not_reached_at_the_price_of_one_with_a_parameter() -> None:
    # To fiber /files//meta has no parameter: the handler of /files/** answers it.
    for cheap in ("GET /files/{id}/meta", "GET /files/*/meta"):
        compiled = table(cheap, "GET /files/**", profile=FIBER)
        assert met(compiled, "GET /files/7/meta", FIBER) == cheap
        assert met(compiled, "GET /files//meta", FIBER) == "GET /files/**"
        assert met(compiled, "GET /files/7//meta", FIBER) == "GET /files/**"


def test_methods_are_those_that_the_parser_knows() -> None:
    for method in METHODS:
        parser = httptools.HttpRequestParser(object())
        parser.feed_data(f"{method} /a HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert parser.get_method() == method.encode()


def test_what_counts_where_no_rule_matches_can_be_asked_for() -> None:
    compiled = table("GET /a")
    assert compiled.default is DEFAULT_RULE
    assert compiled.match("GET", ("b",)).rule is compiled.default
