"""Which fields are for one connection only (RFC 9110, 7.6.1), and which nobody may take away."""

import pytest

from gateway.core.hop_by_hop import (
    HOP_BY_HOP,
    KEPT_ALWAYS,
    dropped_of_request,
    dropped_of_response,
    key_of,
    passing_trailers,
    values,
)
from gateway.core.problems import BadRequest

OURS = frozenset({b"x-workspace-id", b"x-user"})


@pytest.mark.parametrize("connection", [b"", b"close", b"Keep-Alive", b" close , keep-alive", b"upgrade,TE,,"])
def test_a_connection_that_speaks_of_itself_takes_nothing_else_away(connection: bytes) -> None:
    assert dropped_of_request(connection, OURS) == frozenset()
    assert dropped_of_response(connection) == frozenset()


@pytest.mark.parametrize("connection", [b"x-hop", b"close, X-Hop", b"X-HOP\t,keep-alive", b"x_hop", b",, x-hop ,"])
def test_a_field_that_connection_names_is_for_this_hop_only(connection: bytes) -> None:
    assert dropped_of_request(connection, OURS) == {b"x-hop"}
    assert dropped_of_response(connection) == {b"x-hop"}


@pytest.mark.parametrize("named", sorted(KEPT_ALWAYS | OURS))
@pytest.mark.parametrize("spelling", [bytes.lower, bytes.upper, lambda name: name.replace(b"-", b"_")])
def test_a_request_cannot_take_away_what_it_is_judged_by(named: bytes, spelling: object) -> None:
    assert callable(spelling)
    with pytest.raises(BadRequest, match="not for this hop only"):
        dropped_of_request(b"close, " + spelling(named), OURS)


@pytest.mark.parametrize("named", sorted(KEPT_ALWAYS))
def test_a_response_keeps_what_is_meant_for_everybody(named: bytes) -> None:
    assert dropped_of_response(named + b", x-hop") == {b"x-hop"}


def test_what_the_refusal_quotes_is_a_field_name_and_no_value() -> None:
    with pytest.raises(BadRequest) as refused:
        dropped_of_request(b"Authorization, x-secret-thing")
    assert refused.value.message == "Connection names the field authorization, which is not for this hop only."


def test_trailers_never_become_what_only_a_head_may_say() -> None:
    harmless = [(b"X-Sum", b"9"), (b"Server-Timing", b"a"), (b"x_sum", b"")]
    harmful = [(name, b"1") for name in HOP_BY_HOP | KEPT_ALWAYS]
    harmful += [(b"Content_Length", b"1"), (b"AUTHORIZATION", b"Bearer x"), (b"Set-Cookie", b"a=1")]
    assert passing_trailers([*harmful, *harmless, *harmful]) == harmless


def test_trailers_never_tell_who_is_asking() -> None:
    assert passing_trailers([(b"X_Workspace_ID", b"w"), (b"X-User", b"u"), (b"X-Sum", b"9")], OURS) == [
        (b"X-Sum", b"9")
    ]
    assert passing_trailers([(b"X-User", b"u")]) == [(b"X-User", b"u")]


def test_repeated_fields_keep_their_order() -> None:
    fields = [(b"Via", b"1"), (b"X", b"2"), (b"VIA", b"3"), (b"V-ia", b"4")]
    assert values(fields, b"via") == [b"1", b"3"]
    assert values(fields, b"y") == []


def test_names_are_compared_as_the_laxest_upstream_does() -> None:
    assert {key_of(name) for name in (b"X-Api-Key", b"x_api_key", b"X-API_KEY")} == {b"x-api-key"}


def test_names_that_clients_make_up_are_not_remembered_for_ever() -> None:
    for number in range(10_000):
        name = b"X_%d" % number
        assert key_of(name) == b"x-%d" % number
    long = b"X_" * 5_000
    assert key_of(long) == b"x-" * 5_000
    assert key_of(b"X_1") == b"x-1"
