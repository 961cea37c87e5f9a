"""What verified claims say, and whose word counts."""

import base64
import hashlib
import hmac
from typing import Any

import pytest

from gateway.core.problems import Unauthorized
from gateway.identity.issuers import Issuer
from gateway.identity.jwt import JwtVerifier
from gateway.identity.keys import secret_keys
from tests.identity.test_jwt import RSA, private_pem, public_issuer, verify
from tests.identity.tokens import NOW, SECOND, SECRET, USER, claims, hmac_issuer, raw_token, token


def test_fractions_of_a_second_and_endless_numbers_are_read() -> None:
    assert verify(token(exp=NOW // SECOND + 0.5)).expires_us == NOW + SECOND // 2
    assert verify(token(exp=10**30)).expires_us is not None


@pytest.mark.parametrize("exp", ["1900000000", True, [1], {}])
def test_an_exp_that_is_no_number_is_refused(exp: object) -> None:
    good = raw_token({"alg": "HS256"}, claims(exp=exp)).rsplit(b".", 1)[0]
    signature = base64.urlsafe_b64encode(hmac.new(SECRET, good, hashlib.sha256).digest()).rstrip(b"=")
    with pytest.raises(Unauthorized, match="exp"):
        verify(good + b"." + signature)


def test_a_token_without_exp_needs_leave() -> None:
    with pytest.raises(Unauthorized, match="never expires"):
        verify(token(exp=None))
    assert verify(token(exp=None), hmac_issuer(require_exp=False)).expires_us is None


@pytest.mark.parametrize("user", [None, "", 7, ["a"], " ann", "a\x00b", "x" * 256])
def test_a_token_that_names_no_user_is_refused(user: object) -> None:
    good = raw_token({"alg": "HS256"}, claims(sub=user)).rsplit(b".", 1)[0]
    signature = base64.urlsafe_b64encode(hmac.new(SECRET, good, hashlib.sha256).digest()).rstrip(b"=")
    with pytest.raises(Unauthorized, match="does not name a user"):
        verify(good + b"." + signature)


@pytest.mark.parametrize("spelling", [USER.upper(), "urn:uuid:" + USER, "{" + USER + "}", USER.replace("-", "")])
def test_one_user_in_any_spelling_of_the_uuid_is_one_user(spelling: str) -> None:
    assert verify(token(sub=spelling)).user == USER
    assert verify(token(sub="auth0|Ann Ä")).user == "auth0|Ann Ä"


def test_claims_are_found_by_name_and_by_dotted_path() -> None:
    issuer = hmac_issuer(user_claim="app.user", role_claim="role.of")
    dotted: dict[str, Any] = {"app": {"user": "ann"}, "role.of": "admin"}
    found = verify(token(**dotted), issuer)
    assert (found.user, found.role) == ("ann", "admin")
    assert verify(token(app={"user": "ann"}, role={"of": ["admin"]}), issuer).role is None
    with pytest.raises(Unauthorized):
        verify(token(app="ann"), issuer)


@pytest.mark.parametrize("workspace", ["", 7, True, " w"])
def test_a_workspace_claim_that_names_none_is_refused(workspace: object) -> None:
    with pytest.raises(Unauthorized, match="ws"):
        verify(token(ws=workspace), hmac_issuer(workspace_claim="ws"))
    assert verify(token(), hmac_issuer(workspace_claim="ws")).workspace is None


def test_a_workspace_claim_names_one_or_lists_several() -> None:
    issuer = hmac_issuer(workspace_claim="ws")
    for several in (["a", "b", 7, ""], {"a": {"id": 1}, "b": {}}):
        found = verify(token(ws=several), issuer)
        assert (found.workspace, found.workspaces) == (None, {"a", "b"})
    one = verify(token(ws="a"), issuer)
    assert (one.workspace, one.workspaces) == ("a", {"a"})


def test_issuer_and_audience_count_where_they_are_configured() -> None:
    issuer = hmac_issuer(name="us", audience=frozenset({"api", "web"}))
    assert verify(token(iss="us", aud="api"), issuer).user == USER
    assert verify(token(iss="us", aud=["x", "web"]), issuer).user == USER
    wrongs: list[dict[str, Any]] = [{"aud": "api"}, {"iss": "us"}, {"iss": "us", "aud": "x"}, {"iss": "us", "aud": []}]
    for wrong in wrongs:
        with pytest.raises(Unauthorized, match=r"iss|audience"):
            verify(token(**wrong), issuer)
    assert verify(token(aud="anything")).user == USER


def test_each_issuer_has_its_own_keys_and_algorithms() -> None:
    both = JwtVerifier([hmac_issuer(name="a"), public_issuer(RSA, "RS256", name="b", user_claim="uid")])
    assert both.verify(token(iss="a"), NOW).user == USER
    assert both.verify(token(private_pem(RSA), "RS256", iss="b", uid="bob"), NOW).user == "bob"
    for wrong in (
        token(iss="b", uid="bob"),
        token(private_pem(RSA), "RS256", iss="a"),
        token(iss="c"),
        token(iss=None),
    ):
        with pytest.raises(Unauthorized):
            both.verify(wrong, NOW)
    with pytest.raises(ValueError, match="name"):
        JwtVerifier([hmac_issuer(name="a"), hmac_issuer()])
    with pytest.raises(ValueError, match="at least one"):
        JwtVerifier([])


def test_an_issuer_that_changes_its_secret_or_its_algorithm_is_there_twice_for_a_while() -> None:
    new = secret_keys(b"another secret of more than thirty-two bytes", ["HS256"])
    ways = [
        hmac_issuer(name="a"),
        Issuer(keys=new, algorithms=new.algorithms, name="a"),
        public_issuer(RSA, "RS256", name="a"),
    ]
    verifier = JwtVerifier(ways)
    for sent in (
        token(iss="a"),
        token(b"another secret of more than thirty-two bytes", iss="a"),
        token(private_pem(RSA), "RS256", iss="a"),
    ):
        assert verifier.verify(sent, NOW).user == USER
    with pytest.raises(Unauthorized, match="signature"):
        verifier.verify(token(b"a third secret of more than thirty-two bytes", iss="a"), NOW)


def test_one_issuer_may_mean_different_things_for_different_audiences() -> None:
    web = hmac_issuer(name="a", audience=frozenset({"web"}), user_claim="uid")
    api = hmac_issuer(name="a", audience=frozenset({"api"}))
    verifier = JwtVerifier([web, api])
    assert verifier.verify(token(iss="a", aud="api", uid="ann"), NOW).user == USER
    assert verifier.verify(token(iss="a", aud="web", uid="ann"), NOW).user == "ann"
    with pytest.raises(Unauthorized, match="audience"):
        verifier.verify(token(iss="a", aud="app", uid="ann"), NOW)


def test_users_of_two_issuers_are_kept_apart_by_prefixes() -> None:
    verifier = JwtVerifier([hmac_issuer(name="a"), hmac_issuer(name="b", user_prefix="b|")])
    assert verifier.verify(token(iss="a", sub="7"), NOW).user == "7"
    assert verifier.verify(token(iss="b", sub="7"), NOW).user == "b|7"
    assert verifier.verify(token(iss="b", sub=USER.upper()), NOW).user == f"b|{USER}"
    with pytest.raises(Unauthorized, match="does not name a user"):
        verifier.verify(token(iss="b", sub="x" * 254), NOW)


def test_a_negative_leeway_and_a_nameless_claim_are_refused() -> None:
    for broken in ({"leeway_us": -1}, {"user_claim": ""}):
        with pytest.raises(ValueError, match=r"leeway|claim"):
            hmac_issuer(**broken)
