"""Files and environment become settings."""

from pathlib import Path

import pytest

from gateway.settings.load import load
from gateway.settings.models import Settings
from gateway.settings.problems import SettingsErrors
from gateway.settings.units import Address
from tests.settings.conftest import UPSTREAM, Load, Refuse, Write

CASES = Path(__file__).parent.parent / "cases" / "settings"
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def issue() -> Settings:
    return load(CASES / "issue.yaml", {"JWT_SECRET": SECRET})


def test_the_example_of_the_issue_means_what_it_says(issue: Settings) -> None:
    assert issue.listen == Address("127.0.0.1", 8080)
    assert (issue.upstream.addresses, issue.upstream.authority) == (("http://127.0.0.1:9000",), "127.0.0.1:9000")
    assert (issue.upstream.connect_timeout, issue.upstream.read_timeout) == (5_000_000, 60_000_000)
    assert issue.upstream.profile.name == "strict"
    (jwt,) = issue.identity.jwt
    assert jwt.secret is not None
    assert jwt.secret.get_secret_value() == SECRET
    assert (jwt.algorithms, jwt.user_claim) == (("HS256",), "sub")
    assert issue.identity.anonymous == "forward"
    assert (issue.workspace.header, issue.workspace.membership) == ("X-Workspace-ID", "trust_clients")
    assert issue.cascade == ("workspace", "user")
    assert (issue.defaults.user, issue.defaults.workspace, issue.fallback.plan) == ("free", "free", "free")
    assert [plan.slug for plan in issue.plans] == ["free", "pro"]
    assert [rule.weight for rule in issue.rules] == [5, 1, 0]
    assert issue.ledger.path == "weighbridge-ledger.db"
    assert issue.on_store_failure == "open"


def test_every_value_knows_where_it_was_written(issue: Settings) -> None:
    place = issue.source.place("rules", 1, "path")
    assert (place.line, place.column) == (16, 25)
    assert str(issue.source.place("rules", 1)) == f"{CASES / 'issue.yaml'}:16:5"
    assert issue.source.files == (str(CASES / "issue.yaml"),)


def test_equal_settings_are_equal_wherever_they_were_written(loaded: Load) -> None:
    assert loaded("listen: 127.0.0.1:1") == loaded("\n\n# moved\nlisten: 127.0.0.1:1")
    assert loaded("listen: 127.0.0.1:1") != loaded("listen: 127.0.0.1:2")


def test_settings_cannot_be_changed(issue: Settings) -> None:
    with pytest.raises(ValueError, match="frozen"):
        issue.on_store_failure = "closed"


@pytest.mark.parametrize(
    ("written", "env", "meant"),
    [
        ("${PLACE}", {"PLACE": "/shop"}, "/shop"),
        ("/${PLACE}/${THING}", {"PLACE": "a", "THING": "b"}, "/a/b"),
        ("${PLACE:-/default}", {}, "/default"),
        ("${PLACE:-/default}", {"PLACE": ""}, "/default"),
        ("${PLACE:-/default}", {"PLACE": "/set"}, "/set"),
        ("/$${PLACE}", {}, "/${PLACE}"),
        ("/$PLACE$", {"PLACE": "x"}, "/$PLACE$"),
        ("${PLACE}", {"PLACE": "/${NESTED}"}, "/${NESTED}"),
    ],
)
def test_variables_are_filled_in_once(loaded: Load, written: str, env: dict[str, str], meant: str) -> None:
    assert loaded(f'buy_url: "{written}"', env).buy_url == meant


def test_a_variable_cannot_change_the_structure(loaded: Load, refused: Refuse) -> None:
    sly = '/x", evil: true, z: "'
    assert refused('buy_url: "${SLY}"', {"SLY": sly}) == ["1:10: buy_url: must be a URL, or a path that starts with /"]
    assert loaded('buy_url: "${SLY}"', {"SLY": "/x,evil:true"}).buy_url == "/x,evil:true"


def test_a_variable_may_stand_for_a_number_or_a_boolean(loaded: Load) -> None:
    settings = loaded(
        'headers: {ietf: "${IETF}"}\nidentity: {trusted_proxies: "${PROXIES}"}\nlog: {access: "${ACCESS}"}',
        {"IETF": "false", "PROXIES": "2", "ACCESS": "false"},
    )
    assert (settings.headers.ietf, settings.identity.trusted_proxies, settings.log.access) == (False, 2, False)


def test_a_number_in_quotes_is_text(refused: Refuse) -> None:
    assert refused('identity: {trusted_proxies: "2"}') == ["1:29: identity.trusted_proxies: must be a whole number"]


def test_a_secret_may_come_from_a_file_beside_the_configuration(write: Write, loaded: Load) -> None:
    secret = write("s3cret-s3cret-s3cret-s3cret-s3cret\n", "run/jwt")
    settings = loaded('identity: {jwt: {secret: "${file:run/jwt}"}}')
    (jwt,) = settings.identity.jwt
    assert jwt.secret is not None
    assert jwt.secret.get_secret_value() == "s3cret-s3cret-s3cret-s3cret-s3cret"
    assert str(secret) in settings.source.files


def test_a_secret_file_that_is_no_text_is_said_by_name(write: Write, refused: Refuse) -> None:
    write(b"\xff\xfe", "jwt")
    (said,) = refused('identity: {jwt: {secret: "${file:jwt}"}}')
    assert said.endswith("jwt is not UTF-8 text")


def test_lists_of_included_files_are_added_and_the_main_file_wins_elsewhere(write: Write) -> None:
    write("rules: [{method: GET, path: /b}]\ncascade: [user]\nheaders: {ietf: false}\nlog: {level: error}", "one.yaml")
    write("rules: [{method: GET, path: /c}]\nlog: {level: debug, format: console}", "two.yaml")
    settings = load(
        write(UPSTREAM + "include: [one.yaml, two.yaml]\nrules: [{method: GET, path: /a}]\nheaders: {cost: false}"), {}
    )
    assert sorted(rule.path for rule in settings.rules) == ["/a", "/b", "/c"]
    assert settings.cascade == ("user",)
    assert (settings.headers.ietf, settings.headers.cost) == (False, False)
    assert (settings.log.level, settings.log.format) == ("debug", "console")


def test_a_rule_of_an_included_file_keeps_its_origin(write: Write) -> None:
    write("\n\nrules: [{method: GET, path: /b}]", "one.yaml")
    settings = load(write(UPSTREAM + "include: [one.yaml]\nrules: [{method: GET, path: /a}]"), {})
    assert [settings.source.place("rules", index).line for index in (0, 1)] == [3, 3]
    assert [Path(settings.source.place("rules", index).file).name for index in (0, 1)] == ["gateway.yaml", "one.yaml"]


def test_a_file_that_is_reached_on_two_ways_counts_once(write: Write) -> None:
    write("rules: [{method: GET, path: /shared}]", "shared.yaml")
    write("include: [shared.yaml]", "one.yaml")
    write("include: [shared.yaml]", "two.yaml")
    settings = load(write(UPSTREAM + "include: [one.yaml, two.yaml]"), {})
    assert [rule.path for rule in settings.rules] == ["/shared"]


def test_includes_are_relative_to_the_file_that_names_them(write: Write) -> None:
    write("include: [deeper/rules.yaml]", "parts/one.yaml")
    write("rules: [{method: GET, path: /deep}]", "parts/deeper/rules.yaml")
    settings = load(write(UPSTREAM + "include: [parts/one.yaml]"), {})
    assert [rule.path for rule in settings.rules] == ["/deep"]


def test_presets_come_with_the_gateway(loaded: Load) -> None:
    settings = loaded("include: [preset:plans.example]\ndefaults: {user: example-free}")
    assert {"example-free", "example-pro", "example-pack"} <= {plan.slug for plan in settings.plans}


def test_an_unknown_preset_is_answered_with_those_there_are(refused: Refuse) -> None:
    (said,) = refused("include: [preset:plans.exampel]")
    assert said.startswith("1:11: include[0]: there is no preset 'plans.exampel'; there are: ")
    assert said.endswith("did you mean plans.example?")


def test_a_preset_is_a_name_and_not_a_path(refused: Refuse) -> None:
    (said,) = refused("include: ['preset:../gateway']")
    assert "there is no preset" in said


@pytest.mark.parametrize("name", ["none.yaml", ".", "\x00"])
def test_a_main_file_that_cannot_be_read_is_one_problem(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsErrors) as caught:
        load(f"{tmp_path}/{name}", {})
    (problem,) = caught.value.problems
    assert problem.message.startswith("cannot be read: ")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"listen: \xff", "1:1: is not UTF-8 text"),
        (b"a: 1\nlisten: \x07", "2:1: contains a control character, which YAML does not allow"),
        (b"a: &a [*a]", "1:4: a[0]: contains itself through an alias"),
        (b"[" * 1_000, " is nested too deeply"),
        (b"a: " + b"[" * 100 + b"]" * 100, f"1:67: a{'[0]' * 63}: is nested too deeply"),
        (b"a: {b: c", "1:9: is no valid YAML: expected ',' or '}', but got '<stream end>'"),
        (b"listen: 'abc", "1:13: is no valid YAML: found unexpected end of stream"),
        (b"just words", "1:1: must be a mapping of keys such as listen and upstream"),
    ],
)
def test_what_is_no_configuration_at_all_is_one_problem(refused: Refuse, raw: bytes, said: str) -> None:
    assert refused(raw) == [said.strip()]


def test_aliases_cannot_multiply_without_end(refused: Refuse) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    (said,) = refused(bomb)
    assert "is too large; aliases may have multiplied it" in said


def test_an_alias_repeats_what_was_written(loaded: Load) -> None:
    settings = loaded(
        "rules:\n  - {method: GET, path: /a, pays: &users [user]}\n  - {method: GET, path: /b, pays: *users}"
    )
    assert [rule.pays for rule in settings.rules] == [("user",), ("user",)]


def test_a_byte_order_mark_and_windows_lines_are_no_problem(write: Write) -> None:
    path = write(b'\xef\xbb\xbfupstream:\r\n  url: "http://127.0.0.1:9000"\r\nlisten: 127.0.0.1:1\r\n')
    assert str(load(path, {}).listen) == "127.0.0.1:1"


def test_a_refusal_names_the_files_that_were_looked_for(write: Write, tmp_path: Path) -> None:
    path = write(UPSTREAM + "include: [none.yaml]")
    with pytest.raises(SettingsErrors) as caught:
        load(path, {})
    assert list(caught.value.digests) == [str(path), str(tmp_path / "none.yaml")]
    assert caught.value.digests[str(tmp_path / "none.yaml")] == ""
