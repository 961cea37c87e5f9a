"""What is allowed and probably not meant."""

import argon2
import pytest

from tests.settings.conftest import Load

FINE = """
identity: {jwt: {secret: "${JWT_SECRET}"}}
defaults: {user: free}
plans: [{slug: free, throughput_limit: 100, window_seconds: 3600}]
"""
LONG = "0123456789abcdef0123456789abcdef"


def test_a_sound_configuration_has_no_warnings(loaded: Load) -> None:
    assert loaded(FINE, {"JWT_SECRET": LONG}).warnings == []


def test_a_plan_for_every_workspace_that_the_upstream_knows_is_named(loaded: Load) -> None:
    (warning,) = loaded(FINE.replace("{user: free}", "{user: free, workspace: free}"), {"JWT_SECRET": LONG}).warnings
    assert warning.startswith("defaults.workspace: a plan for every id that the upstream answers with 2xx")


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (
            "workspace: {membership: trust_clients}",
            "workspace.membership: trust_clients lets any user drain any workspace",
        ),
        ("ledger: memory", "ledger: memory: keeps nothing"),
        (
            """
cascade: [user, address]
listen: unix:/w.sock
subscriptions: [{plan: free, scope: address, id: 192.0.2.1}]
""",
            "listen: a Unix socket has no client addresses, so whoever pays by address passes free",
        ),
        ("cascade: [user]\nworkspace: {query: w}", "workspace: no workspace is ever asked to pay"),
        ("fallback: {plan: free}", "fallback.plan: no rule has fallback: true"),
        (
            "rules: [{method: GET, path: /a, refund_on: [500, 404, 302]}]",
            "GET /a: refund_on 404, 302: a caller can provoke",
        ),
        ("rules: [{method: GET, path: /a, enforce: false}]", "GET /a: enforce: false counts and never refuses"),
        (
            """
rules: [{method: POST, path: /in, public: true, pays: [address], enforce: false}]
subscriptions: [{plan: free, scope: address, id: 192.0.2.1}]
""",
            "POST /in: enforce: false counts and never refuses",
        ),
        (
            "rules: [{method: POST, path: /in, public: true, pays: [address]}]",
            "POST /in: pays address, and addresses have no plan (defaults.address), so it is always refused",
        ),
        (
            """
workspace: {map: {id: {}}}
rules:
  - {method: POST, path: "/in/{id}", public: true, pays: [workspace], charge: on_success, enforce: false}
""",
            "POST /in/{id}: nobody pays for it, because workspace.map.id is empty",
        ),
    ],
)
def test_a_doubtful_setting_is_named(loaded: Load, added: str, said: str) -> None:
    (warning,) = loaded(FINE + added, {"JWT_SECRET": LONG}).warnings
    assert said in warning


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "identity: nothing is configured, so every request is anonymous"),
        ("store: null", "defaults: nobody has a plan, so every request with a weight is refused"),
        ("identity: {anonymous: public_only}", "identity.anonymous: public_only, but no rule is public"),
        ('identity: {jwt: {secret: "${JWT_SECRET}"}}', "identity.jwt.secret: shorter than 32 bytes"),
        (
            'identity: {jwt: {secret: "${JWT_SECRET}", leeway: 2m}}',
            "identity.jwt.leeway: tokens stay good for more than a",
        ),
        (
            'identity: {jwt: {jwks: "http://id.example/jwks", algorithms: [RS256]}}',
            "identity.jwt.jwks: over plain http anybody on the way can put in keys",
        ),
        (
            'identity: {jwt: {jwks: "https://id.example/jwks", algorithms: [RS256], issuer: a}}',
            "identity.jwt.jwks: such keys may sign for others too",
        ),
        (
            f'identity: {{jwt: [{{secret: "{LONG}", issuer: a}}, {{secret: "{LONG}", issuer: b}}]}}',
            "identity.jwt: several issuers without a user_prefix of their own",
        ),
        ("store: null\nplans: [{slug: a, unlimited: true}]", "plans: nobody has 'a'"),
        ("plans: [{slug: a, throughput_limit: 5, pack: true}]\ndefaults: {user: a}", "plans: 'a' is a pack given to"),
    ],
)
def test_each_warning_is_a_sentence_that_names_its_key(loaded: Load, text: str, said: str) -> None:
    warnings = loaded(text, {"JWT_SECRET": "short"}).warnings
    assert [warning for warning in warnings if said in warning]
    assert all(warning.endswith(".") for warning in warnings)
    assert "short" not in " ".join(warnings).replace("shorter", "")


def test_whoever_has_a_store_may_have_sold_plans_there(loaded: Load) -> None:
    warnings = loaded("plans: [{slug: a, unlimited: true}]").warnings
    assert not [warning for warning in warnings if "nobody has" in warning]


def test_honoured_overrides_are_warned_about(loaded: Load) -> None:
    settings = loaded(f'upstream: {{url: "http://h:1", honours: [X-Original-URL]}}\n{FINE}', {"JWT_SECRET": LONG})
    assert settings.warnings == ["upstream.honours: X-Original-URL can turn a request into another one."]


@pytest.mark.parametrize(
    "jwt",
    [
        '{jwks: "http://127.0.0.1:9/jwks", algorithms: [RS256], issuer: a, audience: [b, c]}',
        '{jwks: "https://id.example/jwks", algorithms: [RS256], issuer: a, audience: b}',
        '[{secret: "%s", issuer: a}, {secret: "%s", issuer: b, user_prefix: "b|"}]',
        '[{secret: "%s", issuer: a}, {secret: "%s", issuer: a, audience: x}]',
    ],
    ids=["this machine", "https", "prefixes", "one issuer"],
)
def test_what_is_well_done_is_not_warned_about(loaded: Load, jwt: str) -> None:
    text = jwt.replace("%s", LONG)
    assert not [warning for warning in loaded(f"identity: {{jwt: {text}}}").warnings if "identity" in warning]


def test_a_login_that_the_other_processes_do_not_know_is_named(loaded: Load) -> None:
    env = {"JWT_SECRET": LONG, "HASH": argon2.PasswordHasher(time_cost=1, memory_cost=1024).hash("a long password")}
    fine, redis = FINE + 'admins: {password: "${HASH}"}\n', "ledger: redis://localhost/0\nworkers: 2\n"
    assert loaded(fine, env).warnings == []
    (warning,) = loaded(fine + redis, env).warnings
    assert warning.startswith("admins.token_secret: none, and with an argon2 hash")
    secret = fine.replace('{password: "${HASH}"', f'{{password: "${{HASH}}", token_secret: {"s" * 32}')
    assert loaded(secret + redis, env).warnings == []
    assert loaded(fine + redis, {**env, "HASH": "a plain password"}).warnings == []


STRIPE = 'store: "sqlite:///store.db"\npayments: {{{more}stripe: {{api_key: sk_test_{key}, {said}}}}}\n'
SOUND = {
    "more": 'return_origins: ["https://shop.test"], ',
    "key": "0" * 24,
    "said": "webhook_secrets: [whsec_00000000]",
}


@pytest.mark.parametrize(
    ("unlike", "said"),
    [
        ({}, []),
        ({"more": ""}, ["payments.return_origins: null lets a checkout send its customer to any https page"]),
        ({"said": ""}, ["payments.stripe.webhook_secrets: none"]),
        (
            {"said": SOUND["said"] + ', demo: true, api_base: "http://127.0.0.1:9"'},
            ["payments.stripe.demo: nothing that is paid is real."],
        ),
    ],
    ids=["sound", "any page", "no secret", "not real"],
)
def test_what_is_risky_about_selling_is_said(loaded: Load, unlike: dict[str, str], said: list[str]) -> None:
    warnings = loaded(FINE + STRIPE.format(**SOUND | unlike), {"JWT_SECRET": LONG}).warnings
    assert len(warnings) == len(said)
    assert all(one.startswith(other) for one, other in zip(warnings, said, strict=True))
