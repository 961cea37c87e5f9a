from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.problems import Problem
from gateway.identity.api_keys import ApiKey, generate_key
from gateway.identity.authenticate import Authenticator
from gateway.identity.config import IdentityConfig, JwtCarriers
from gateway.identity.outcomes import Outcomes
from gateway.identity.peers import PeerIdentity
from gateway.identity.workspace import WorkspaceSource
from tests.identity.tokens import NOW, OTHER, PEER, SECOND, USER, WORKSPACE, Headers, bearer, config, identify, token

KEY = generate_key()
KEYS = (ApiKey(id=KEY.id, sha256=KEY.sha256, user=USER),)
SOON = token(exp=NOW // SECOND + 2)
ANN = token(sub="ann", nbf=NOW // SECOND + 1)
VALUES: dict[bytes, list[bytes]] = {
    b"Authorization": [b"Bearer " + SOON, b"Bearer " + ANN, b"Bearer " + KEY.key.encode(), b"Basic x", b""],
    b"X-API-Key": [KEY.key.encode(), b"wb_a_b"],
    b"X-Workspace-ID": [WORKSPACE.encode(), OTHER.encode(), b"", b"a\x00x-user-id\x00ann"],
    b"X-User-ID": [b"ann", USER.encode()],
    b"Cookie": [b"session=" + ANN, b"a=b"],
}
FIELD = st.sampled_from([(name, value) for name, values in VALUES.items() for value in values])
REQUEST = st.tuples(
    st.lists(FIELD, max_size=3),
    st.sampled_from([b"", b"t=" + ANN, b"ws=" + OTHER.encode()]),
    st.booleans(),
)


Request = tuple[Headers, bytes, bool]


def everything(trusted_proxies: int) -> IdentityConfig:
    return config(
        api_keys=KEYS,
        jwt=JwtCarriers(cookies=(b"session",), queries=(b"t",)),
        peers=PeerIdentity(networks=("10.0.0.0/8",)),
        workspace=WorkspaceSource(query=b"ws"),
        trusted_proxies=trusted_proxies,
    )


def outcome(made: Authenticator, request: Request, peer: str, second: int, path: str | None) -> object:
    headers, query, public = request
    try:
        return identify(made, headers, query, peer, now_us=NOW + second * SECOND, public=public, path_workspace=path)
    except Problem as problem:
        return (type(problem), problem.message, problem.headers)


CLIENTS: tuple[Headers, ...] = ([], [(b"X-Forwarded-For", b"203.0.113.9")], [(b"X-Forwarded-For", b"203.0.113.10")])
ROUNDS = tuple(product(CLIENTS, (PEER, "10.0.0.1", ""), (0, 2, 1, 3), (None, WORKSPACE)))


@settings(max_examples=25, deadline=None)
@given(requests=st.lists(REQUEST, min_size=1, max_size=2), proxies=st.integers(0, 1))
def test_what_is_remembered_is_what_would_be_judged_afresh(requests: list[Request], proxies: int) -> None:
    warm = Authenticator(everything(proxies))
    for headers, query, public in requests:
        for client, peer, second, path in ROUNDS:
            request = ([*headers, *client], query, public)
            fresh = outcome(Authenticator(everything(proxies)), request, peer, second, path)
            assert outcome(warm, request, peer, second, path) == fresh


def test_a_remembered_outcome_is_shared_and_holds_no_credential() -> None:
    made = Authenticator(config())
    headers = [bearer(SOON), (b"X-Workspace-ID", WORKSPACE.encode()), (b"Accept", b"*/*")]
    first, second = identify(made, headers), identify(made, headers)
    assert first is second
    assert identify(made, headers, b"limit=10") is first
    assert first.within().workspace == first.asked == WORKSPACE
    assert first.within() is second.within()
    ((key, kept),) = made._outcomes._kept._kept.items()
    assert SOON.decode() not in repr((key, kept))
    assert made.carried(headers, b"") == ((b"authorization", b"Bearer " + SOON),)
    made.forget()
    assert len(made._outcomes) == 0


def test_other_fields_make_no_other_outcome() -> None:
    made = Authenticator(config())
    for number in range(9_000):
        found = identify(made, [(b"X-%d" % number, b""), bearer(SOON), (b"Accept", b"%d" % number)])
        assert found.principal.user == USER
    assert len(made._outcomes) == 1


def test_fields_that_could_pass_for_others_are_not_remembered() -> None:
    outcomes = Outcomes(4)
    assert outcomes._key([(b"a", b"1\x00b\x002")], PEER, None) is None
    assert outcomes._key([(b"a", b"1"), (b"b", b"2")], PEER, None) is not None
    assert outcomes._key([], PEER, None) == outcomes._key([], PEER, None)
    assert outcomes._key([], PEER, None) != outcomes._key([], PEER, "w")
    assert outcomes._key([], PEER, None) != Outcomes(4)._key([], PEER, None)


def test_only_so_many_outcomes_are_kept() -> None:
    made = Authenticator(config(cached_tokens=3))
    for number in range(10):
        identify(made, [bearer(SOON), (b"X-Workspace-ID", b"w%d" % number)])
    assert len(made._outcomes) == 3
