import pytest

from gateway.identity.address import Networks, client_network, network_key, parse_address

PEER = "192.0.2.7"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", None),
        ("unknown", None),
        ("192.0.2", None),
        ("0300.0.2.7", None),
        ("1" * 1_000, None),
    ],
)
def test_a_client_is_keyed_by_its_ipv4_address_or_its_ipv6_network(address: str, key: str | None) -> None:
    assert network_key(address) == key


@pytest.mark.parametrize(
    ("lines", "proxies", "client"),
    [
        ([b"203.0.113.9"], 0, PEER),
        ([b"203.0.113.9"], 1, "203.0.113.9"),
        ([b"6.6.6.6, 203.0.113.9"], 1, "203.0.113.9"),
        ([b"6.6.6.6,203.0.113.9 ,\t10.0.0.1"], 2, "203.0.113.9"),
        ([b"6.6.6.6", b"203.0.113.9", b"10.0.0.1"], 2, "203.0.113.9"),
        ([b"203.0.113.9:4711"], 1, "203.0.113.9"),
        ([b"[2001:db8::1]:443"], 1, "2001:db8::/64"),
        ([b"2001:db8::1"], 1, "2001:db8::/64"),
        ([b"::ffff:203.0.113.9"], 1, "203.0.113.9"),
        ([], 1, PEER),
        ([b""], 1, PEER),
        ([b"203.0.113.9"], 2, PEER),
        ([b"203.0.113.9, unknown"], 1, PEER),
        ([b"203.0.113.9,"], 1, PEER),
        ([b"_hidden, 10.0.0.1"], 2, PEER),
        ([b"\xff\xfe"], 1, PEER),
        ([b"[::1"], 1, "::/64"),
        ([b"1" * 100_000], 1, PEER),
    ],
)
def test_the_client_is_the_nth_from_the_right_else_the_peer(lines: list[bytes], proxies: int, client: str) -> None:
    assert client_network(PEER, lines, proxies) == client


def test_what_a_client_writes_on_the_left_changes_nothing() -> None:
    for forged in (b"", b"1.1.1.1", b"x,y,z", b"1.1.1.1," * 500):
        assert client_network(PEER, [forged + b", 203.0.113.9"], 1) == "203.0.113.9"


def test_a_peer_without_an_address_has_no_network() -> None:
    assert client_network("", [], 0) is None
    assert client_network("", [b"203.0.113.9"], 1) == "203.0.113.9"


def test_networks_know_their_peers_in_any_spelling() -> None:
    networks = Networks(("10.0.0.0/8", "2001:db8::/32", "127.0.0.1"))
    for inside in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8:ffff::1", "127.0.0.1"):
        assert inside in networks
    for outside in ("11.0.0.1", "2001:db9::1", "127.0.0.2", "", "10.0.0.1, 10.0.0.2", "::10.1.2.3"):
        assert outside not in networks
    assert "10.0.0.1" not in Networks(())


def test_a_network_that_is_none_is_refused() -> None:
    for text in ("10.0.0.1/8", "everywhere", "10.0.0.0/33"):
        with pytest.raises(ValueError, match=r".+"):
            Networks((text,))
    assert parse_address("x") is None
