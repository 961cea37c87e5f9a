import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.problems import BadRequest, Forbidden, Unauthorized
from gateway.identity.api_keys import ApiKey, generate_key
from gateway.identity.authenticate import Authenticator
from gateway.identity.config import IdentityConfig, JwtCarriers, KeyCarriers
from gateway.identity.peers import PeerIdentity
from gateway.identity.telling import Telling
from gateway.identity.workspace import WorkspaceSource
from tests.identity.tokens import (
    NOW,
    OTHER,
    PEER,
    SECOND,
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

KEY = generate_key()
PEERS = PeerIdentity(networks=("10.0.0.0/8",), workspace_header=b"X-Auth-Workspace", role_header=b"X-Role")


def keys(**more: Any) -> tuple[ApiKey, ...]:
    return (ApiKey(**({"id": KEY.id, "sha256": KEY.sha256, "user": "robot"} | more)),)


def test_a_good_token_names_its_user_and_stays_on_the_request() -> None:
    headers = [(b"Host", b"a"), bearer(token())]
    found = identify(config(), headers)
    assert found.principal.proof == "jwt"
    assert found.principal.user == USER
    assert found.principal.expires_us == NOW + 3600 * SECOND
    assert removed(found, headers) == headers


def test_a_request_without_a_carrier_is_anonymous_and_knows_its_address() -> None:
    found = identify(config(), [(b"Host", b"a")])
    assert (found.principal.proof, found.principal.user, found.principal.address) == ("anonymous", None, PEER)
    assert b"authorization" in found.strip


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Basic dTpw",
        b"xBearer %s",
        b"anythingBearer %s",
        b"Bearer  %s",
        b"Bearer\t%s",
        b"%s",
        b"Bearer %s, Bearer %s",
        b"Bearer %s Bearer x",
        b"Token %s",
        b"Bearer Bearer %s",
        b'Bearer "%s"',
        b"Bearer %s\x00",
    ],
)
def test_authorization_in_a_form_we_do_not_know_is_401_and_never_anonymous(value: bytes) -> None:
    with pytest.raises(Unauthorized) as caught:
        identify(config(), [(b"Authorization", value.replace(b"%s", token()))])
    assert caught.value.headers == ((b"WWW-Authenticate", b'Bearer error="invalid_token"'),)
    assert "Bearer <token>" in caught.value.message


def test_no_answer_repeats_a_token() -> None:
    for sent in (token(exp=1), token(sub=7), token("another secret of thirty-two bytes!!"), b"ey.ey.ey", b"wb_a_b"):
        with pytest.raises(Unauthorized) as caught:
            identify(config(api_keys=keys()), [bearer(sent)])
        assert sent.decode() not in f"{caught.value!r}{caught.value.__dict__}"


@pytest.mark.parametrize("scheme", [b"bearer", b"BEARER", b"Bearer"])
def test_the_scheme_is_read_in_any_case(scheme: bytes) -> None:
    assert identify(config(), [(b"authorization", scheme + b" " + token())]).principal.user == USER


@pytest.mark.parametrize("name", [b"authorization", b"AUTHORIZATION", b"Authorization "])
def test_a_second_authorization_is_400_in_any_spelling_of_its_name(name: bytes) -> None:
    with pytest.raises(BadRequest, match="twice"):
        identify(config(), [bearer(token()), (name, b"Bearer " + token())])


@pytest.mark.parametrize("name", [b"x-workspace-id", b"X_Workspace_ID", b"x_workspace-id"])
def test_a_second_workspace_header_is_400_with_underscores_too(name: bytes) -> None:
    with pytest.raises(BadRequest, match="twice"):
        identify(config(), [bearer(token()), (b"X-Workspace-ID", WORKSPACE.encode()), (name, WORKSPACE.encode())])


def test_a_second_identity_header_is_400_even_from_a_believed_peer() -> None:
    for peer in ("10.1.1.1", PEER):
        with pytest.raises(BadRequest, match="twice"):
            identify(config(peers=PEERS), [(b"X-User-ID", b"a"), (b"x_user_id", b"a")], peer=peer)


def test_anonymous_public_only_passes_on_public_rules_alone() -> None:
    shut = config(anonymous="public_only")
    assert identify(shut, [], public=True).principal.proof == "anonymous"
    with pytest.raises(Unauthorized, match="Authorization: Bearer <token>") as caught:
        identify(shut, [])
    assert caught.value.headers == ((b"WWW-Authenticate", b"Bearer"),)
    assert identify(shut, [bearer(token())]).principal.user == USER


def test_anonymous_reject_passes_nowhere_and_judges_on_public_rules_too() -> None:
    shut = config(anonymous="reject")
    for public in (False, True):
        with pytest.raises(Unauthorized):
            identify(shut, [], public=public)
        with pytest.raises(Unauthorized):
            identify(shut, [bearer(b"rubbish")], public=public)
        assert identify(shut, [bearer(token())], public=public).principal.user == USER


def test_on_a_public_rule_credentials_are_neither_needed_nor_judged_and_pass_untouched() -> None:
    for headers in (
        [bearer(token())],
        [bearer(token(exp=1))],
        [(b"Authorization", b"Basic x")],
        [bearer(b"a"), bearer(b"b")],
    ):
        found = identify(config(anonymous="public_only"), headers, public=True)
        assert not found.principal.verified
        assert removed(found, headers) == headers


def test_our_keys_and_strangers_identity_headers_are_removed_on_public_rules_as_well() -> None:
    headers: Headers = [(b"X-API-Key", KEY.key.encode()), bearer(KEY.key.encode()), (b"X-User-ID", b"admin")]
    found = identify(config(api_keys=keys(), peers=PEERS), headers, public=True)
    assert removed(found, headers) == []


@pytest.mark.parametrize("carrier", [(b"X-API-Key", b""), (b"x_api_key", b""), (b"Authorization", b"Bearer ")])
def test_an_api_key_names_its_user_and_is_removed(carrier: tuple[bytes, bytes]) -> None:
    headers: Headers = [(carrier[0], carrier[1] + KEY.key.encode())]
    for made in (Authenticator(config(api_keys=keys())), Authenticator(config(api_keys=keys(), issuers=()))):
        found = identify(made, headers)
        assert (found.principal.proof, found.principal.user) == ("api_key", "robot")
        assert removed(found, headers) == []
        assert made.carried(headers, b"") == ()


def test_a_token_that_looks_like_our_key_somewhere_inside_stays_on_a_public_rule() -> None:
    for value in (b"Bearer eyJwb_x.wb_y.-wb_z", b"Bearer x/wb_y"):
        headers = [(b"Authorization", value)]
        assert removed(identify(config(api_keys=keys()), headers, public=True), headers) == headers
    for value in (b"Bearer wb_a_b", b"wb_a_b", b'Token token="wb_a_b"', b"Bearer\twb_a_b"):
        headers = [(b"Authorization", value)]
        assert removed(identify(config(api_keys=keys()), headers, public=True), headers) == []


def test_an_unknown_key_header_is_401_once_keys_are_configured_even_if_there_are_none_yet() -> None:
    with pytest.raises(Unauthorized):
        identify(config(api_keys=()), [(b"X-API-Key", b"sk-123")])
    headers: Headers = [(b"X-API-Key", b"sk-123")]
    assert removed(identify(config(), headers), headers) == headers


def test_a_way_that_is_not_configured_has_no_carrier() -> None:
    headers: Headers = [(b"Authorization", b"Basic dTpw")]
    settings_ = IdentityConfig(api_keys=keys(), key=KeyCarriers(bearer=False))
    assert removed(identify(settings_, headers), headers) == headers
    with pytest.raises(BadRequest):
        identify(settings_, headers * 2)
    with pytest.raises(Unauthorized):
        identify(IdentityConfig(api_keys=keys()), headers)


def test_a_key_for_one_workspace_is_for_no_other() -> None:
    bound = config(api_keys=keys(workspace=WORKSPACE))
    sent = (b"X-API-Key", KEY.key.encode())
    assert identify(bound, [sent]).within().workspace == WORKSPACE
    assert identify(bound, [sent, (b"X-Workspace-ID", WORKSPACE.upper().encode())]).asked == WORKSPACE
    with pytest.raises(Forbidden):
        identify(bound, [sent, (b"X-Workspace-ID", OTHER.encode())])


def test_two_credentials_of_two_users_are_400_and_of_one_user_fine() -> None:
    sent = (b"X-API-Key", KEY.key.encode())
    with pytest.raises(BadRequest, match="two different users"):
        identify(config(api_keys=keys()), [sent, bearer(token())])
    found = identify(config(api_keys=keys(user=USER, expires_us=NOW + 1)), [sent, bearer(token())])
    assert found.principal.user == USER
    assert found.principal.expires_us == NOW + 1
    assert removed(found, [sent, bearer(token())]) == [bearer(token())]


def test_a_bad_credential_beside_a_good_one_is_401() -> None:
    with pytest.raises(Unauthorized):
        identify(config(api_keys=keys(user=USER)), [bearer(token()), (b"X-API-Key", b"wb_x_y")])


def test_identity_headers_are_believed_by_tcp_peer_alone() -> None:
    headers: Headers = [(b"X-User-ID", b"ann"), (b"X-Role", b"admin"), (b"X-Forwarded-For", b"10.0.0.1")]
    found = identify(config(peers=PEERS), headers, peer="10.9.8.7")
    assert (found.principal.proof, found.principal.user, found.principal.role) == ("peer", "ann", "admin")
    assert removed(found, headers) == headers
    for peer in ("192.0.2.1", "", "11.0.0.1"):
        stranger = identify(config(peers=PEERS, trusted_proxies=1), headers, peer=peer)
        assert stranger.principal.proof == "anonymous"
        assert removed(stranger, headers) == headers[2:]


def test_identity_headers_of_a_client_are_removed_beside_a_good_token() -> None:
    headers: Headers = [bearer(token()), (b"x_user_id", b"admin"), (b"X-ROLE", b"admin"), (b"X-Auth-Workspace", b"w")]
    found = identify(config(peers=PEERS), headers)
    assert found.principal.role is None
    assert removed(found, headers) == headers[:1]


@pytest.mark.parametrize("value", [b"", b" ", b"\xff\xfe", b"a\x00b", b"x" * 256])
def test_an_identity_header_that_is_no_id_is_401(value: bytes) -> None:
    with pytest.raises(Unauthorized):
        identify(config(peers=PEERS), [(b"X-User-ID", value)], peer="::ffff:10.0.0.1")


def test_a_believed_peer_that_names_a_workspace_and_no_user_is_401() -> None:
    with pytest.raises(Unauthorized):
        identify(config(peers=PEERS), [(b"X-Auth-Workspace", b"w")], peer="10.0.0.1")


def test_a_believed_peer_vouches_for_its_workspace() -> None:
    headers: Headers = [(b"X-User-ID", b"ann"), (b"X-Auth-Workspace", WORKSPACE.encode())]
    found = identify(config(peers=PEERS), headers, peer="10.0.0.1")
    assert found.credential is not None
    assert found.credential.bound
    assert found.within().workspace == WORKSPACE


def test_a_token_in_a_cookie_or_in_the_query_counts_too() -> None:
    ways = Authenticator(config(jwt=JwtCarriers(cookies=(b"session",), queries=(b"Authorization",))))
    cookie = [(b"Cookie", b"a=b; session=" + token())]
    assert identify(ways, cookie).principal.user == USER
    assert ways.carried(cookie, b"") == ((b"cookie", b"session=" + token()),)
    for query in (b"Authorization=Bearer+" + token(), b"x=1&%41uthorization=Bearer%20" + token()):
        found = identify(ways, [], query)
        assert found.principal.user == USER
        assert ways.carried([], query) == ((b"authorization", b"Bearer " + token()),)
        assert found.strip_query == frozenset()


@pytest.mark.parametrize(
    "query",
    [
        b"authorization=x",
        b"Authorization=",
        b"Authorization",
        b"Authorization[]=x",
        b"%2541uthorization=x",
        b"a;Authorization=x",
        b"+Authorization=x",
        b"Authorization%00=Bearer+x",
        b"AUTHORIZATION=Bearer+x",
    ],
)
def test_a_query_carrier_in_an_odd_spelling_is_401(query: bytes) -> None:
    with pytest.raises(Unauthorized):
        identify(config(jwt=JwtCarriers(queries=(b"Authorization",))), [], query)


@pytest.mark.parametrize(
    "cookie", [b"Session=x", b"a=b,session=x", b"session =x", b'"session"=x', b"session", b"$session=x"]
)
def test_a_cookie_carrier_in_an_odd_spelling_is_401(cookie: bytes) -> None:
    with pytest.raises(Unauthorized):
        identify(config(jwt=JwtCarriers(cookies=(b"session",))), [(b"Cookie", cookie)])


def test_other_cookies_and_parameters_are_nobodys_business() -> None:
    ways = config(jwt=JwtCarriers(cookies=(b"session",), queries=(b"token",)))
    found = identify(ways, [(b"Cookie", b"my_session=1; __Host-session=2")], b"csrf_token=3&q=token")
    assert found.principal.proof == "anonymous"
    assert found.strip_query == {b"token"}
    assert b"cookie" not in found.strip


def test_a_doubled_cookie_or_query_carrier_is_400() -> None:
    ways = config(jwt=JwtCarriers(cookies=(b"session",), queries=(b"token",)))
    with pytest.raises(BadRequest):
        identify(ways, [(b"Cookie", b"session=" + token()), (b"cookie", b"session=" + token())])
    with pytest.raises(BadRequest):
        identify(ways, [], b"token=%s&token=%s" % (token(), token()))


def test_the_workspace_comes_from_header_query_path_and_claim_and_all_must_agree() -> None:
    ways = config(issuers=(hmac_issuer(workspace_claim="ws"),), workspace=WorkspaceSource(query=b"workspace_id"))
    header = (b"X-Workspace-ID", b"{" + WORKSPACE.encode() + b"}")
    query = b"workspace_id=urn:uuid:" + WORKSPACE.encode()
    speaking = bearer(token(ws=WORKSPACE.replace("-", "")))
    assert identify(ways, [bearer(token()), header]).asked == WORKSPACE
    assert identify(ways, [bearer(token())], query).asked == WORKSPACE
    assert identify(ways, [bearer(token())], path_workspace=WORKSPACE.upper()).asked == WORKSPACE
    assert identify(ways, [speaking]).asked == WORKSPACE
    assert identify(ways, [speaking, header], query, path_workspace=WORKSPACE).asked == WORKSPACE
    for headers, text, path in (
        ([speaking, (b"X-Workspace-ID", OTHER.encode())], b"", None),
        ([bearer(token()), header], b"workspace_id=" + OTHER.encode(), None),
        ([bearer(token()), header], b"", OTHER),
        ([bearer(token(ws=OTHER))], query, None),
    ):
        with pytest.raises(BadRequest, match="two different workspaces"):
            identify(ways, headers, text, path_workspace=path)


@pytest.mark.parametrize("value", [b"", b"\xff", b"a\tb", b"x" * 300, b"a\x00"])
def test_a_malformed_workspace_is_400(value: bytes) -> None:
    with pytest.raises(BadRequest):
        identify(config(), [bearer(token()), (b"X-Workspace-ID", value)])


def test_where_workspaces_are_uuids_anything_else_is_400() -> None:
    strict = config(workspace=WorkspaceSource(uuid_only=True))
    assert identify(config(), [bearer(token()), (b"X-Workspace-ID", b"team-7")]).asked == "team-7"
    with pytest.raises(BadRequest, match="UUID"):
        identify(strict, [bearer(token()), (b"X-Workspace-ID", b"team-7")])


def test_an_anonymous_request_is_in_no_workspace() -> None:
    found = identify(config(), [(b"X-Workspace-ID", WORKSPACE.encode())])
    assert found.asked is None
    with pytest.raises(BadRequest):
        identify(config(), [(b"X-Workspace-ID", b"")])


def test_the_address_is_that_of_the_nth_proxy_from_the_right() -> None:
    headers: Headers = [(b"X-Forwarded-For", b"1.1.1.1, 203.0.113.9"), (b"x_forwarded_for", b"6.6.6.6")]
    assert identify(config(), headers).principal.address == PEER
    assert identify(config(trusted_proxies=1), headers).principal.address == "203.0.113.9"


@pytest.mark.parametrize(
    "broken",
    [
        {"trusted_proxies": -1},
        {"telling": Telling(user_header=b"authorization")},
        {"telling": Telling(workspace_header=b"x_workspace_id")},
        {"cached_tokens": 0},
        {"api_keys": (), "key": KeyCarriers(header=b"Authorization")},
        {"peers": PeerIdentity(networks=(), user_header=b"Authorization")},
        {"peers": PeerIdentity(networks=("10.0.0.1/8",))},
    ],
)
def test_a_configuration_that_cannot_work_is_refused_at_once(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Authenticator(config(**broken))


def wacraft_reads(headers: Headers) -> bytes | None:
    """The stand-in's habit: split on the literal ``Bearer `` and take part 2 of exactly 2."""
    for name, value in headers:
        if name.lower() == b"authorization":
            parts = value.split(b"Bearer ")
            return parts[1] if len(parts) == 2 else None
    return None


TOKEN = token()
AROUND = st.text(st.characters(codec="latin-1"), max_size=6).map(lambda text: text.encode("latin-1"))
SPELLED = st.sampled_from([b"Bearer ", b"bearer ", b"Bearer  ", b"Bearer\t", b"BEARER "])
NAMES = st.sampled_from([b"Authorization", b"authorization", b"AUTHORIZATION", b"AuthorIzation", b"X-Authorization"])


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.tuples(NAMES, AROUND, SPELLED, AROUND), max_size=3), with_keys=st.booleans())
def test_no_spelling_that_the_upstream_reads_is_anonymous_and_forwarded(
    parts: list[tuple[bytes, bytes, bytes, bytes]], *, with_keys: bool
) -> None:
    headers = [(name, before + scheme + TOKEN + after) for name, before, scheme, after in parts]
    try:
        found = identify(config(api_keys=keys() if with_keys else None), headers)
    except (Unauthorized, BadRequest):
        return
    arrives = wacraft_reads(removed(found, headers))
    if found.principal.proof == "anonymous":
        assert arrives is None
        assert not any(re.fullmatch(rb"(?i)authorization", name) for name, _ in removed(found, headers))
    else:
        assert found.principal.user == USER
        assert arrives in (None, TOKEN)


@settings(max_examples=200, deadline=None)
@given(st.text("Aauthorization -_%+[];&=\"'", max_size=24), st.sampled_from([b"", b"Bearer+", b"Bearer%20"]))
def test_no_query_that_the_upstream_reads_is_anonymous(name: str, scheme: bytes) -> None:
    from urllib.parse import parse_qs  # noqa: PLC0415  (the judge, not the judged)

    query = name.encode() + b"=" + scheme + TOKEN
    try:
        found = identify(config(jwt=JwtCarriers(queries=(b"Authorization",))), [], query)
    except (Unauthorized, BadRequest):
        return
    read = parse_qs(query.decode(), keep_blank_values=True, separator="&")
    assert found.principal.verified or "Authorization" not in read


@settings(max_examples=200, deadline=None)
@given(
    before=st.text('ab=;, \t"$', max_size=6),
    name=st.sampled_from(["session", "Session", " session", "session ", '"session"', "$session"]),
    after=st.text('ab=;, \t"', max_size=6),
)
def test_no_cookie_that_a_lenient_upstream_reads_is_anonymous(before: str, name: str, after: str) -> None:
    line = f"{before};{name}={TOKEN.decode()};{after}"
    try:
        found = identify(config(jwt=JwtCarriers(cookies=(b"session",))), [(b"Cookie", line.encode())])
    except (Unauthorized, BadRequest):
        return
    assert found.principal.user == USER


def test_nobody_is_anonymous_whatever_the_request_carries_and_carries_it_no_further() -> None:
    made = Authenticator(config(api_keys=keys(), peers=PEERS, jwt=JwtCarriers(queries=(b"token",))))
    nobody = made.nobody([bearer(TOKEN), (b"X-Forwarded-For", b"192.0.2.9")], "2001:db8::7")
    assert (nobody.principal.proof, nobody.principal.address) == ("anonymous", "2001:db8::/64")
    assert nobody.strip == made.carriers >= {b"x-api-key", b"x-user-id", b"x-role"}
    assert nobody.strip_query == {b"token"}


def test_nobody_comes_from_where_the_trusted_proxies_say_and_leaves_its_cookies_behind() -> None:
    made = Authenticator(config(trusted_proxies=1, jwt=JwtCarriers(cookies=(b"session",))))
    nobody = made.nobody([(b"X-Forwarded-For", b"192.0.2.9, 2001:db8:0:1::9"), (b"Cookie", b"session=x")], "127.0.0.1")
    assert nobody.principal.address == "2001:db8:0:1::/64"
    assert b"cookie" in nobody.strip
