"""Who a request acts for, and from which budgets it can spend."""

import pytest

from gateway.core.principal import Principal, Proof
from gateway.core.scope import Scope

MEMBER = Principal("jwt", user="u1", workspace="w1", address="192.0.2.1")


@pytest.mark.parametrize(("kind", "id_"), [("user", "u1"), ("workspace", "w1"), ("address", "192.0.2.1")])
def test_a_principal_spends_from_the_scopes_it_stands_for(kind: str, id_: str) -> None:
    assert MEMBER.scope(kind) == Scope(kind, id_)


@pytest.mark.parametrize("kind", ["user", "workspace", "address"])
def test_what_is_not_known_cannot_be_spent_from(kind: str) -> None:
    assert Principal("anonymous").scope(kind) is None


def test_a_kind_that_nobody_is_has_no_scope() -> None:
    assert MEMBER.scope("role") is None
    assert MEMBER.scope("") is None


@pytest.mark.parametrize(
    ("proof", "verified"), [("jwt", True), ("api_key", True), ("peer", True), ("anonymous", False)]
)
def test_only_a_checked_credential_verifies(proof: Proof, *, verified: bool) -> None:
    assert Principal(proof).verified is verified


@pytest.mark.parametrize("kind", ["user", "workspace"])
def test_a_stranger_proves_nothing_but_where_it_calls_from(kind: str) -> None:
    stranger = Principal("anonymous", user="u1", workspace="w1", address="192.0.2.1")
    assert stranger.proves("address")
    assert not stranger.proves(kind)
    assert MEMBER.proves(kind)
