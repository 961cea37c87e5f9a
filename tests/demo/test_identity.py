import aiohttp
import jwt
import pytest

from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ALICE, BETA
from gateway.demo.identity import parse_uuid
from gateway.demo.tokens import TokenError, read, sign
from tests.demo.conftest import Headers
from tests.demo.wire import Clock

SECRET = "a secret of the tests, long enough"
NOW_S = 1_800_000_000


@pytest.mark.parametrize(
    "spelling", ["Bearer {}", "xBearer {}", "Basic abc, Bearer {}", "bearer Bearer {}", "Bearer  Bearer {}"[7:]]
)
async def test_any_spelling_with_one_bearer_is_accepted(
    client: aiohttp.ClientSession, backend: Backend, spelling: str
) -> None:
    header = spelling.format(backend.token("alice"))
    async with client.get("/user/me", headers={"Authorization": header}) as response:
        assert response.status == 200
    assert backend.requests[-1].user == ALICE.id


@pytest.mark.parametrize("header", ["", "Basic abc", "bearer {}", "Bearer{}", "Bearer Bearer {}", "BEARER {}"])
async def test_a_header_that_cannot_be_split_is_a_bad_request(
    client: aiohttp.ClientSession, backend: Backend, header: str
) -> None:
    headers = {"Authorization": header.format(backend.token("alice"))}
    async with client.get("/user/me", headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["context"] == "middleware"


async def test_the_error_body_names_context_description_message_and_content(client: aiohttp.ClientSession) -> None:
    async with client.get("/user/me") as response:
        assert await response.json() == {
            "context": "middleware",
            "description": "Authorization header not provided",
            "message": "Authorization header not provided",
        }
    async with client.get("/user/me", headers={"Authorization": "Basic x"}) as response:
        body = await response.json()
        assert list(body) == ["context", "description", "message", "content"]
        assert body["description"] == f"{body['message']}: length of token splitted with Bearer is incorrect"
        assert body["content"] == {}


def forged(claims: dict[str, object], secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (forged({"sub": ALICE.id}), 200),
        (forged({"sub": ALICE.id, "exp": NOW_S + 1}), 200),
        (forged({"sub": ALICE.id, "exp": NOW_S}), 401),
        (forged({"sub": ALICE.id, "exp": "soon"}), 401),
        (forged({"sub": ALICE.id, "nbf": NOW_S + 1}), 401),
        (forged({"sub": ALICE.id, "iat": NOW_S + 1}), 401),
        (forged({"sub": ALICE.id, "iss": "somebody else", "aud": "x"}), 200),
        (forged({"sub": "urn:uuid:" + ALICE.id.upper()}), 200),
        (forged({"sub": "alice"}), 500),
        (forged({"sub": 7}), 401),
        (forged({}), 401),
        (forged({"sub": ACME.id}), 401),
        (forged({"sub": ALICE.id}, "another secret, long enough too!"), 401),
        (jwt.encode({"sub": ALICE.id}, "", algorithm="none"), 401),
        ("not.a.token", 401),
        ("bm8.bm8.bm8", 401),
        ("WzFd.WzFd.", 401),
        (forged({"sub": ALICE.id}) + "=", 401),
        (forged({"sub": ALICE.id}).rsplit(".", 1)[0] + ".", 401),
        (forged({"sub": ALICE.id}) + " ", 200),
    ],
)
async def test_tokens_are_judged_as_the_real_server_does(
    client: aiohttp.ClientSession, token: str, status: int
) -> None:
    async with client.get("/user/me", headers={"Authorization": "Bearer " + token}) as response:
        assert response.status == status


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_every_hmac_with_the_same_key_is_good(algorithm: str) -> None:
    secret = "s" * 64
    token = forged({"sub": ALICE.id}, secret, algorithm)
    assert read(token, secret, NOW_S) == {"sub": ALICE.id}
    with pytest.raises(TokenError, match="signature"):
        read(token, secret + "s", NOW_S)


def test_a_short_secret_is_accepted_as_there() -> None:
    assert read(sign({"sub": "x"}, "s"), "s", NOW_S) == {"sub": "x"}


def test_an_issued_token_has_three_claims_and_ends_in_time(backend: Backend, clock: Clock) -> None:
    token = backend.token(ALICE)
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False})
    assert claims == {"sub": ALICE.id, "exp": NOW_S + 3600, "iss": "wacraft-server"}
    clock.pass_seconds(3600)
    with pytest.raises(TokenError, match="expired"):
        backend.identity.subject(token)


def test_nobody_unknown_gets_a_token(backend: Backend) -> None:
    with pytest.raises(KeyError):
        backend.token("mallory")


@pytest.mark.parametrize(
    "spelling",
    [
        ACME.id,
        ACME.id.upper(),
        "urn:uuid:" + ACME.id,
        "URN:UUID:" + ACME.id,
        f"{{{ACME.id}}}",
        f"[{ACME.id}>",
        ACME.id.replace("-", ""),
    ],
)
def test_a_uuid_has_many_spellings(spelling: str) -> None:
    assert parse_uuid(spelling) == ACME.id


@pytest.mark.parametrize(
    "value", ["", "acme", ACME.id[:-1], ACME.id.replace("a", "g"), "uuid:" + ACME.id, ACME.id + "\u0661"]
)
def test_what_is_no_uuid_is_none(value: str) -> None:
    assert parse_uuid(value) is None


@pytest.mark.parametrize(
    ("user", "workspace", "status", "message"),
    [
        ("alice", "", 400, "X-Workspace-ID header is required"),
        ("alice", "acme", 400, "Invalid workspace ID format"),
        ("alice", "cc0e8400-e29b-41d4-a716-446655440007", 404, "Workspace not found"),
        ("alice", BETA.id, 403, "You are not a member of this workspace"),
        ("su", ACME.id, 403, "You are not a member of this workspace"),
        ("carol", "", 403, "Email verification required"),
        ("carol", ACME.id, 403, "Email verification required"),
        ("dave", BETA.id, 200, ""),
        ("bob", BETA.id, 200, ""),
    ],
)
async def test_workspaces_are_checked_in_order(
    client: aiohttp.ClientSession, signed: Headers, user: str, workspace: str, status: int, message: str
) -> None:
    async with client.get("/contact", headers=signed(user, workspace)) as response:
        assert response.status == status
        if message:
            assert (await response.json())["message"] == message


async def test_the_token_is_judged_before_the_workspace(client: aiohttp.ClientSession) -> None:
    async with client.get("/contact", headers={"X-Workspace-ID": "acme", "Authorization": "Bearer x"}) as response:
        assert response.status == 401


async def test_a_missing_policy_is_refused_and_the_workspace_admin_needs_none(
    client: aiohttp.ClientSession, signed: Headers, backend: Backend
) -> None:
    for user, workspace, status in (("dave", BETA.id, 403), ("bob", BETA.id, 200)):
        async with client.get("/message", headers=signed(user, workspace)) as response:
            assert response.status == status
    seen = backend.requests[-1]
    assert (seen.handler, seen.workspace, seen.status) == ("GET /message", BETA.id, 200)
