from gateway.identity.api_keys import ApiKey, generate_key
from gateway.identity.authenticate import Authenticator
from gateway.identity.peers import PeerIdentity
from gateway.identity.telling import Telling
from tests.identity.tokens import (
    NOW,
    PEER,
    USER,
    WORKSPACE,
    Headers,
    bearer,
    config,
    hmac_issuer,
    identify,
    removed,
    token,
)

TELLING = Telling(user_header=b"X-User-ID", workspace_header=b"X-Team", role_header=b"X-Role")
FORGED: Headers = [(b"x_user_id", b"root"), (b"X-TEAM", b"root"), (b"X-Role", b"admin")]


def test_the_upstream_is_told_what_the_credential_says_and_nothing_that_a_client_says() -> None:
    ways = config(issuers=(hmac_issuer(workspace_claim="ws", role_claim="role"),), telling=TELLING)
    headers = [*FORGED, bearer(token(ws=WORKSPACE, role="staff"))]
    found = identify(ways, headers)
    assert found.said == f"X-User-ID: {USER}\r\nX-Team: {WORKSPACE}\r\nX-Role: staff\r\n".encode()
    assert removed(found, headers) == headers[3:]


def test_a_workspace_that_a_client_only_names_is_not_told() -> None:
    ways = config(telling=TELLING)
    found = identify(ways, [bearer(token()), (b"X-Workspace-ID", WORKSPACE.encode())])
    assert found.asked == WORKSPACE
    assert found.said == f"X-User-ID: {USER}\r\n".encode()


def test_anonymous_requests_tell_nothing_and_carry_nothing() -> None:
    made = Authenticator(config(telling=TELLING))
    for found in (identify(made, FORGED), identify(made, FORGED, public=True), made.nobody(FORGED, PEER)):
        assert found.said == b""
        assert removed(found, FORGED) == []


def test_a_key_names_its_user_and_workspace() -> None:
    key = generate_key()
    ways = config(api_keys=(ApiKey(id=key.id, sha256=key.sha256, user="robot", workspace="red"),), telling=TELLING)
    assert identify(ways, [bearer(key.key.encode())]).said == b"X-User-ID: robot\r\nX-Team: red\r\n"


def test_what_a_believed_peer_says_under_the_same_name_is_said_once() -> None:
    peers = PeerIdentity(networks=("10.0.0.0/8",), user_header=b"X-User-ID")
    headers: Headers = [(b"X-User-ID", b"ann")]
    found = identify(config(peers=peers, telling=TELLING), headers, peer="10.0.0.1")
    assert found.said == b"X-User-ID: ann\r\n"
    assert removed(found, headers) == []


def test_no_role_can_begin_another_line() -> None:
    ways = config(issuers=(hmac_issuer(role_claim="role"),), telling=TELLING)
    for role in ("a\r\nX-Team: root", "a\nb", " a", "", "\u2028", "x" * 300):
        assert identify(ways, [bearer(token(role=role))], now_us=NOW).said == f"X-User-ID: {USER}\r\n".encode()
    spoken = identify(ways, [bearer(token(role="Größe"))]).said
    assert spoken.endswith("X-Role: Größe\r\n".encode())
