"""What the upstream is told about the client, and who may say it."""

import pytest

from gateway.core.forwarding import Forwarding, Hop, told_of_client
from gateway.core.hop_by_hop import RawHeaders, key_of

HOP = Hop(b"192.0.2.7", b"http", b"shop.example:81", 1)
FORGED: RawHeaders = [
    (b"X-Forwarded-For", b"6.6.6.6"),
    (b"X-Forwarded-Proto", b"gopher"),
    (b"X-Forwarded-Host", b"evil.example"),
    (b"Forwarded", b"for=6.6.6.6"),
]


def as_sent(headers: RawHeaders, forwarding: Forwarding, hop: Hop = HOP) -> list[tuple[str, str]]:
    """The fields as they go on: without the forged ones, with what is told instead."""
    kept = [field for field in headers if key_of(field[0]) not in forwarding.forged]
    return [(name.decode(), value.decode()) for name, value in kept + told_of_client(headers, forwarding, hop)]


def test_a_client_cannot_say_where_it_comes_from() -> None:
    lax = [(name.replace(b"-", b"_"), value) for name, value in FORGED]
    assert as_sent([*FORGED, *lax], Forwarding()) == [
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "shop.example:81"),
        ("Via", "1.1 weighbridge"),
    ]


def test_the_standard_field_says_the_same_in_one_line() -> None:
    assert as_sent(FORGED, Forwarding("forwarded")) == [
        ("Forwarded", 'for=192.0.2.7;proto=http;host="shop.example:81"'),
        ("Via", "1.1 weighbridge"),
    ]


def test_an_ipv6_client_is_quoted_where_the_grammar_wants_it() -> None:
    hop = HOP._replace(client=b"2001:db8::7", scheme=b"https", host=b"")
    assert as_sent([], Forwarding("forwarded"), hop)[0] == ("Forwarded", 'for="[2001:db8::7]";proto=https')
    assert as_sent([], Forwarding(), hop)[0] == ("X-Forwarded-For", "2001:db8::7")


def test_a_host_that_cannot_be_quoted_is_left_out() -> None:
    hop = HOP._replace(host=b'a"b')
    assert as_sent([], Forwarding("forwarded"), hop)[0] == ("Forwarded", "for=192.0.2.7;proto=http")


def test_no_host_is_no_field() -> None:
    names = [name for name, _ in as_sent([], Forwarding(), HOP._replace(host=b""))]
    assert names == ["X-Forwarded-For", "X-Forwarded-Proto", "Via"]


def test_a_trusted_proxy_is_added_to_and_believed() -> None:
    behind = Forwarding(trusted_proxies=1)
    earlier: RawHeaders = [(b"X-Forwarded-For", b"203.0.113.5, 10.0.0.1"), (b"x-forwarded-for", b"10.0.0.2")]
    assert as_sent([*earlier, (b"X-Forwarded-Proto", b"https")], behind) == [
        ("X-Forwarded-For", "203.0.113.5, 10.0.0.1, 10.0.0.2, 192.0.2.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.example:81"),
        ("Via", "1.1 weighbridge"),
    ]
    assert as_sent([], behind)[0] == ("X-Forwarded-For", "192.0.2.7")
    assert as_sent([(b"X-Forwarded-Host", b"www.example")], behind)[2] == ("X-Forwarded-Host", "www.example")


def test_a_trusted_proxys_elements_stay_before_ours() -> None:
    behind = Forwarding("forwarded", trusted_proxies=1)
    assert as_sent([(b"Forwarded", b"for=203.0.113.5"), (b"Forwarded", b"for=10.0.0.1")], behind) == [
        ("Forwarded", "for=203.0.113.5"),
        ("Forwarded", "for=10.0.0.1"),
        ("Forwarded", 'for=192.0.2.7;proto=http;host="shop.example:81"'),
        ("Via", "1.1 weighbridge"),
    ]


@pytest.mark.parametrize(
    ("style", "field"), [("x-forwarded", (b"Forwarded", b"for=a")), ("forwarded", (b"X-Forwarded-For", b"6.6.6.6"))]
)
def test_the_family_that_is_not_sent_cannot_be_spoken_in_by_anybody(style: str, field: tuple[bytes, bytes]) -> None:
    for trusted in (0, 1):
        assert style in ("x-forwarded", "forwarded")
        forwarding = Forwarding("forwarded" if style == "forwarded" else "x-forwarded", trusted)
        assert field[0].decode() not in dict(as_sent([field], forwarding))


def test_an_underscore_is_the_clients_own_word_even_behind_a_trusted_proxy() -> None:
    sent = as_sent([(b"X_Forwarded_For", b"6.6.6.6"), (b"X_Forwarded_Proto", b"https")], Forwarding(trusted_proxies=1))
    assert sent[:2] == [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "http")]
    assert len(sent) == 4


def test_without_a_family_only_via_is_added() -> None:
    assert as_sent([(b"X", b"1")], Forwarding("none", name=b"gw")) == [("X", "1"), ("Via", "1.1 gw")]


def test_via_says_how_the_request_came() -> None:
    """RFC 9110, 7.6.3; a second line says the same as a longer list."""
    sent = as_sent([(b"Via", b"1.1 edge")], Forwarding("none"), HOP._replace(minor=0))
    assert sent == [("Via", "1.1 edge"), ("Via", "1.0 weighbridge")]
