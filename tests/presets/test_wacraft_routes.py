"""``preset:wacraft`` against the list of the server's routes: what each costs, who pays, and what else is special."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from gateway.assembly import build_snapshot
from gateway.cli import main
from gateway.core.rule import DEFAULT_RULE, Rule
from gateway.core.rules import Match
from gateway.core.target import canonical_target
from gateway.demo.run import demo_yaml
from gateway.metering.snapshot import Snapshot
from gateway.settings.load import load
from gateway.settings.models import Settings
from tests.presets.wacraft import ROUTES, SECRET, Route, spellings

ROOT = Path(__file__).parents[2]
ENV = {"JWT_SECRET": SECRET}
LEAST = 'upstream: {url: "http://127.0.0.1:9000"}\ninclude: ["preset:wacraft"]\n'
PAYERS = {"address": ("address",), "user": ("user",), "named": ("workspace",), "workspace": ("workspace", "user")}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("preset") / "gateway.yaml"
    path.write_text(LEAST)
    return load(path, ENV)


@pytest.fixture(scope="module")
def snapshot(settings: Settings) -> Snapshot:
    return build_snapshot(settings, 0)


def match(snapshot: Snapshot, method: str, path: str) -> Match:
    found = snapshot.read(method, path.encode()).match
    assert found is not None, f"{path} is the gateway's own"
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_costs_what_the_list_says_in_any_spelling(snapshot: Snapshot, route: Route) -> None:
    for path in spellings(route.example):
        rule = match(snapshot, route.method, path).rule
        assert (rule.weight, rule.public) == (route.weight, route.public)
        if route.payer != "nobody":
            assert (rule.pays or snapshot.cascade) == PAYERS[route.payer]
        assert (rule.charge, rule.enforce) == (("on_success", False) if route.payer == "named" else ("before", True))
        assert rule.fallback == ("fallback" in route.more)
        assert rule.strip_json == ({"password"} if "strip" in route.more else set())


def test_looking_at_the_billing_page_costs_nothing(snapshot: Snapshot, tmp_path: Path) -> None:
    page = (ROOT / "admin_ui" / "static" / "js" / "customer.js").read_text()
    asked = re.findall(r'\bask\("(/[\w/-]+)"', page)
    assert asked, "it asks the server for the workspaces"
    demo = {rule["path"]: rule for rule in yaml.safe_load(demo_yaml("http://127.0.0.1:1", 1, tmp_path))["rules"]}
    for path in asked:
        assert match(snapshot, "GET", path).rule.weight == 0
        assert (demo[path]["method"], demo[path]["weight"]) == ("GET", 0)


def test_inside_a_websocket_only_the_sending_of_a_campaign_costs(snapshot: Snapshot) -> None:
    sockets = [route for route in ROUTES if "socket" in route.more]
    weighed = {
        rule.pattern: rule for route in sockets if (rule := match(snapshot, "GET", route.example).rule).frame_weight
    }
    (campaign,) = weighed.values()
    assert campaign.pattern.startswith("/websocket/campaign/")
    assert campaign.frame_weight == 10
    assert campaign.frame_match is not None
    paid = {
        said: campaign.frame_match.judge(said.encode(), whole=True) for said in ("send", "ping", "status", "cancel")
    }
    assert paid == {"send": True, "ping": False, "status": False, "cancel": False}


@pytest.mark.parametrize("route", [each for each in ROUTES if each.method == "GET"], ids=lambda route: route.name)
def test_head_costs_what_get_costs(snapshot: Snapshot, route: Route) -> None:
    assert match(snapshot, "HEAD", route.example).rule is match(snapshot, "GET", route.example).rule


def test_every_rule_is_for_a_route_that_there_is(snapshot: Snapshot) -> None:
    met = {match(snapshot, route.method, route.example).rule for route in ROUTES}
    catch_all = {rule for rule in snapshot.rules.rules if rule.name == "ANY /workspace/{workspace_id}/**"}
    assert set(snapshot.rules.rules) - met == catch_all


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", "/contact/later", DEFAULT_RULE),
        ("PATCH", "/contact", DEFAULT_RULE),
        ("GET", "/user/me/later", DEFAULT_RULE),
        ("POST", "/auth/login", DEFAULT_RULE),
        ("POST", "/webhook-in/1/2", DEFAULT_RULE),
    ],
)
def test_a_route_of_a_later_server_is_paid_and_needs_a_credential(
    snapshot: Snapshot, method: str, path: str, rule: Rule
) -> None:
    assert match(snapshot, method, path).rule == rule
    assert not rule.public


@pytest.mark.parametrize("rest", ["", "/", "/member", "/later/routes", "/x/"])
def test_below_a_workspace_the_path_names_it_whatever_the_method(snapshot: Snapshot, rest: str) -> None:
    id_ = "AA0E8400-e29b-41d4-a716-446655440005"
    for method in ("GET", "PUT", "PATCH", "DELETE", "POST"):
        found = match(snapshot, method, f"/workspace/{id_}{rest}")
        assert snapshot.workspace_in(found.params) == id_.lower()


@pytest.mark.parametrize("path", ["/billing/plan", "/BILLING/usage/", "/billing-admin", "/-/metrics"])
def test_what_is_ours_is_never_forwarded(snapshot: Snapshot, path: str) -> None:
    assert snapshot.read("GET", path.encode()).match is None


def test_a_secret_and_an_address_are_all_it_needs(settings: Settings) -> None:
    assert settings.warnings == [settings.warnings[0]]
    assert "workspace.map.waba_id is empty" in settings.warnings[0]


def test_it_says_who_asks_and_where_as_the_server_does(settings: Settings) -> None:
    (jwt,) = settings.identity.jwt
    assert (jwt.algorithms, jwt.query, jwt.user_claim) == (("HS256", "HS384", "HS512"), "Authorization", "sub")
    assert (jwt.issuer, jwt.audience) == (None, None)
    assert settings.identity.anonymous == "public_only"
    space = settings.workspace
    assert (space.header, space.query, space.param) == ("X-Workspace-ID", "workspace_id", "workspace_id")
    assert (space.membership, space.probe.path) == ("upstream", "/workspace/{id}")
    assert (settings.upstream.profile.name, settings.upstream.head_bytes) == ("fiber", 4096)


def test_an_operator_adds_phone_numbers_and_subscriptions_to_it(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    mine = 'workspace: {map: {waba_id: {"1": w}}, probe: {cache: 10s}}\ndefaults: {workspace: wacraft-free}\n'
    path.write_text(LEAST + mine)
    settings = load(path, ENV)
    assert settings.workspace.map == {"waba_id": {"1": "w"}}
    assert (settings.workspace.query, settings.workspace.probe.path) == ("workspace_id", "/workspace/{id}")
    assert (settings.defaults.workspace, settings.defaults.user) == ("wacraft-free", "wacraft-free")
    assert [warning.partition(":")[0] for warning in settings.warnings] == ["defaults.workspace"]


@pytest.mark.parametrize("route", [ROUTES[0], ROUTES[12], ROUTES[40]], ids=lambda route: route.name)
def test_explain_tells_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, route: Route
) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    config = tmp_path / "gateway.yaml"
    config.write_text(LEAST)
    said = explained(["explain", route.method, route.example, "--json", "--config", str(config)], capsys)
    assert f'"weight": {route.weight},' in said
    assert f'"public": {str(route.public).lower()},' in said


def explained(argv: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(argv))
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_examples_are_read_as_fiber_reads_them(snapshot: Snapshot) -> None:
    target = canonical_target("GET", b"/Message/content/Like/o%20L%C3%A1%2f/", snapshot.profile)
    assert target.segments == ("message", "content", "like", "o%20l%c3%a1%2f")
