"""Which network a client is in: what address budgets are keyed by, and which peers are believed."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CLIENT_BITS = 64
"""One customer's IPv6 network: keyed by single addresses, a budget would be endless."""
_TEXT_LENGTH = 64


def client_network(peer_ip: str, forwarded_for: Sequence[bytes], trusted_proxies: int) -> str | None:
    """The key of the client's network: an IPv4 address, or an IPv6 /64 such as ``2001:db8::/64``.

    With ``trusted_proxies`` n the client is the n-th from the right in ``forwarded_for`` (the lines in their order):
    what stands further left, anybody may have written. Fewer entries, or one that is no address: the TCP peer.
    ``None``: there is no IP peer.
    """
    if trusted_proxies > 0 and forwarded_for:
        entries = b",".join(forwarded_for).rsplit(b",", trusted_proxies)
        if len(entries) >= trusted_proxies and (found := network_key(_text(entries[-trusted_proxies]))) is not None:
            return found
    return network_key(peer_ip)


def _text(entry: bytes) -> str:
    """An entry without white space, brackets and port, as in ``[2001:db8::1]:443`` and ``192.0.2.1:80``."""
    text = entry.strip(b" \t").decode("latin-1")[: _TEXT_LENGTH + 1]
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


@lru_cache(maxsize=16_384)
def network_key(text: str) -> str | None:
    """The network that the address ``text`` is keyed by; ``None`` if it is no address."""
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> _CLIENT_BITS << _CLIENT_BITS, _CLIENT_BITS)))
    return None if address is None else str(address)


def parse_address(text: str) -> Address | None:
    """The address in ``text``: IPv4-mapped IPv6 as IPv4, zones dropped; ``None`` if it is none."""
    if len(text) > _TEXT_LENGTH:
        return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Networks:
    """A list of networks. Raises ``ValueError`` for one that is none, or whose host bits are set."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(ip_network(network) for network in networks)
        self._holds = lru_cache(maxsize=4_096)(self._look)

    def __contains__(self, peer_ip: str) -> bool:
        return self._holds(peer_ip)

    def _look(self, peer_ip: str) -> bool:
        address = parse_address(peer_ip)
        return address is not None and any(
            address in network for network in self._networks if network.version == address.version
        )
