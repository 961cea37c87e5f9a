"""Every way of saying who asks, through a whole gateway."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.identity.api_keys import generate_key
from tests.e2e.identity_world import Upstream, gateway, served, token
from tests.e2e.world import SECRET

RSA = rsa.generate_private_key(65537, 2048)
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

STATIC = """\
identity:
  jwt:
    - {public_key: "${file:key.pem}", algorithms: [RS256], issuer: "https://id.example", audience: [things]}
    - {secret: "${JWT_SECRET}", issuer: old, user_prefix: "old|", header: X-Old-Token}
  anonymous: reject
"""


def unsigned(**header: str) -> str:
    parts = token(RSA).split(".")
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{head}.{parts[1]}."


def hmac_with_public_key() -> str:
    import hashlib  # noqa: PLC0415  (PyJWT refuses to help with this)
    import hmac  # noqa: PLC0415

    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    signed = f"{head}.{token(RSA).split('.')[1]}"
    signature = base64.urlsafe_b64encode(hmac.new(PEM, signed.encode(), hashlib.sha256).digest())
    return f"{signed}.{signature.rstrip(b'=').decode()}"


async def test_each_issuer_speaks_for_its_own_users(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(PEM)
    upstream = Upstream()
    async with served(upstream), gateway(tmp_path, STATIC, upstream) as ask:
        assert (await ask(token(RSA))).payer == "user:ann"
        old = token(SECRET, None, "HS256", iss="old")
        for answer in (await ask(old), await ask(X_Old_Token=old)):
            assert answer.payer == "user:old|ann"
        assert (await ask(token(RSA), X_Old_Token=old)).status == 400


async def test_what_is_forged_or_for_others_costs_nothing_and_goes_nowhere(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(PEM)
    upstream = Upstream()
    async with served(upstream), gateway(tmp_path, STATIC, upstream) as ask:
        strange = rsa.generate_private_key(65537, 2048)
        for forged in (
            hmac_with_public_key(),
            unsigned(alg="none"),
            unsigned(alg="HS256"),
            unsigned(alg="RS512"),
            token(strange),
            token(strange, None, "RS256", iss="old"),
            token(SECRET, None, "HS256"),
            token(SECRET + "-" * 16, None, "HS384", iss="old"),
            token(RSA, iss="https://id.example.evil"),
            token(RSA, aud="other"),
            token(RSA, exp=1),
            token(RSA) + "x",
        ):
            answer = await ask(forged)
            assert answer.status == 401, forged
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert (await ask()).status == 401
        assert upstream.arrived == []
        assert (await ask(token(RSA))).headers["X-RateLimit-Remaining"] == "99"


PLACES = """\
identity: {jwt: {secret: "${JWT_SECRET}"}}
workspace: {header: X-Team, query: team, param: team, claim: orgs.member, membership: claim}
rules: [{method: GET, path: "/teams/{team}/things"}]
"""


async def test_the_workspace_comes_from_header_query_or_path_and_the_claim_says_who_belongs(tmp_path: Path) -> None:
    upstream = Upstream()
    async with served(upstream), gateway(tmp_path, PLACES, upstream) as ask:
        ann = token(SECRET, None, "HS256", orgs={"member": ["red", "blue"]})
        assert (await ask(ann)).payer == "user:ann"
        for answer in (
            await ask(ann, X_Team="red"),
            await ask(ann, "/things?limit=5&team=red"),
            await ask(ann, "/teams/red/things"),
            await ask(ann, "/teams/red/things?team=red", X_Team="red"),
            await ask(token(SECRET, None, "HS256", orgs={"member": "red"})),
            await ask(token(SECRET, None, "HS256", orgs={"member": {"red": {"id": 1}}}), X_Team="red"),
        ):
            assert answer.payer == "workspace:red"
        for path, team, status in (
            ("/things", "green", 403),
            ("/teams/green/things", None, 403),
            ("/teams/blue/things", "red", 400),
            ("/teams/blue/things?team=red", None, 400),
            ("/things", "", 400),
        ):
            refused = await ask(ann, path, **({} if team is None else {"X_Team": team}))
            assert refused.status == status, path
        assert len(upstream.arrived) == 7


def neighbours(network: str) -> str:
    return f"""\
identity:
  peers: {{networks: [{network}], user_header: X-Auth-User, workspace_header: X-Auth-Team, role_header: X-Auth-Role}}
"""


async def test_an_authenticating_proxy_is_believed_and_vouches(tmp_path: Path) -> None:
    upstream = Upstream()
    async with served(upstream), gateway(tmp_path, neighbours("127.0.0.0/8"), upstream) as ask:
        answer = await ask(X_Auth_User="ann", X_Auth_Team="red", X_Auth_Role="admin")
        assert answer.payer == "workspace:red"
        assert answer.told["x-auth-user"] == "ann"
        assert (await ask(X_Auth_User="bob")).payer == "user:bob"
        assert (await ask(X_Auth_Team="red")).status == 401


async def test_a_stranger_is_not_believed_whatever_it_forwards(tmp_path: Path) -> None:
    upstream = Upstream()
    async with served(upstream), gateway(tmp_path, neighbours("10.0.0.0/8"), upstream) as ask:
        answer = await ask(X_Auth_User="ann", x_auth_role="admin", X_AUTH_TEAM="red", X_Forwarded_For="10.0.0.1")
        assert answer.payer == "address:127.0.0.1"
        assert not [name for name in answer.told if name.startswith("x-auth")]


@pytest.mark.parametrize(
    ("proxies", "told", "payer"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "unknown", "127.0.0.1"),
    ],
    ids=["none", "one", "one, IPv6", "two", "too few", "no address"],
)
async def test_the_address_that_pays_is_the_one_the_trusted_proxies_saw(
    tmp_path: Path, proxies: int, told: str, payer: str
) -> None:
    upstream = Upstream()
    yaml = f"""\
identity: {{trusted_proxies: {proxies}}}
rules: [{{method: GET, path: /login, public: true, pays: [address]}}]
"""
    async with served(upstream), gateway(tmp_path, yaml, upstream) as ask:
        for _ in range(2):
            assert (await ask(path="/login", X_Forwarded_For=told)).payer == f"address:{payer}"


async def test_a_key_of_ours_is_taken_off_and_its_workspace_pays(tmp_path: Path) -> None:
    key = generate_key()
    yaml = f'identity: {{api_keys: [{{id: {key.id}, hash: "{key.hash}", user: robot, workspace: red}}]}}\n'
    upstream = Upstream()
    async with served(upstream), gateway(tmp_path, yaml, upstream) as ask:
        for answer in (await ask(key.key), await ask(X_API_Key=key.key)):
            assert answer.payer == "workspace:red"
            assert not {"authorization", "x-api-key"} & set(answer.told)
        assert (await ask(key.key, X_Workspace_ID="blue")).status == 403
        assert (await ask(key.key[:-1] + ("a" if key.key[-1] != "a" else "b"))).status == 401


async def test_the_upstream_sees_the_operators_credential_and_never_the_callers(tmp_path: Path) -> None:
    key = generate_key()
    upstream = Upstream()
    async with served(upstream):
        yaml = f"""\
upstream: {{url: "{upstream.url}", headers: {{Authorization: "Bearer sk-ours", X-Gate: "7"}}}}
identity:
  api_keys: [{{id: {key.id}, hash: "{key.hash}", user: robot}}]
  anonymous: reject
"""
        async with gateway(tmp_path, yaml, upstream) as ask:
            for answer in (
                await ask(key.key),
                await ask(X_API_Key=key.key, x_gate="6"),
                await ask(X_API_Key=key.key, Connection="X-Other"),
            ):
                assert (answer.told["authorization"], answer.told["x-gate"]) == ("Bearer sk-ours", "7")
            sent = [field for request in upstream.arrived for field in request.raw_headers]
            assert key.key.encode() not in b"".join(value for _, value in sent)
            assert [value for name, value in sent if name.lower().replace(b"_", b"-") == b"x-gate"] == [b"7"] * 3
            refused = await ask(X_API_Key=key.key, Connection="X-Gate")
            assert refused.status == 400


async def test_the_upstream_is_told_who_asks_in_headers_that_clients_cannot_send(tmp_path: Path) -> None:
    key = generate_key()
    yaml = f"""\
identity:
  api_keys: [{{id: {key.id}, hash: "{key.hash}", user: robot, workspace: red}}]
  tell: {{user_header: X-User-ID, workspace_header: X-Team}}
"""
    upstream = Upstream()
    async with served(upstream), gateway(tmp_path, yaml, upstream) as ask:
        told = (await ask(key.key, X_User_ID="root", x_team="root")).told
        assert (told["x-user-id"], told["x-team"]) == ("robot", "red")
        anonymous = (await ask(X_User_ID="root", X_Team="root")).told
        assert not {"x-user-id", "x-team"} & set(anonymous)
        names = [name.lower() for request in upstream.arrived for name, _ in request.raw_headers]
        assert (names.count(b"x-user-id"), names.count(b"x-team")) == (1, 1)
