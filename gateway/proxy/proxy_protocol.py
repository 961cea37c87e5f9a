"""The PROXY protocol, versions 1 and 2: what a load balancer says of a connection before its first byte.

Published by HAProxy as ``proxy-protocol.txt``. What is read is bounded: 107 bytes of version 1, ``MOST`` of version 2.
"""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

Read = Callable[[int], Awaitable[bytes]]
"""Exactly so many bytes. Raises ``EOFError`` if there are no more."""

MOST = 4096
"""Bytes behind the first 16 of version 2: addresses and additions (TLVs), of which none is looked at."""
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V1 = b"PROXY "
_V1_MOST = 107
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP4, _TCP6, _UNIX_STREAM = 0x00, 0x11, 0x21, 0x31
_ADDRESS_BYTES = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX_STREAM: 216}
_V1_FAMILIES: dict[str, type[IPv4Address] | type[IPv6Address]] = {"TCP4": IPv4Address, "TCP6": IPv6Address}
_V1_WORDS = 6
_LAST_PORT = 65_535


class BadPreamble(Exception):  # noqa: N818  (it completes: this is a …)
    """What came first is not a PROXY protocol header, in words without a byte of it."""


async def read_preamble(read: Read) -> str | None:
    """Read the header and nothing behind it. The client's address, or ``None``: the connection speaks for itself.

    The latter are ``LOCAL`` connections, which a balancer makes to check our health, and clients without an IP
    address. Raises ``BadPreamble``, ``EOFError``.
    """
    start = await read(len(SIGNATURE))
    if start == SIGNATURE:
        return await _version_2(read)
    if start.startswith(_V1):
        return await _version_1(start, read)
    raise BadPreamble("no PROXY protocol header")


async def _version_2(read: Read) -> str | None:
    command, family, *size = await read(4)
    length = int.from_bytes(bytes(size), "big")
    if command not in {_LOCAL, _PROXY}:
        raise BadPreamble("an unknown version or command")
    if length > MOST:
        raise BadPreamble(f"more than {MOST} bytes of addresses and additions")
    body = await read(length)
    if command == _LOCAL:
        return None
    if family not in _ADDRESS_BYTES:
        raise BadPreamble("no TCP connection")
    if length < _ADDRESS_BYTES[family]:
        raise BadPreamble("addresses that are too short")
    if family == _TCP4:
        return str(IPv4Address(body[:4]))
    return _plain(IPv6Address(body[:16])) if family == _TCP6 else None


async def _version_1(start: bytes, read: Read) -> str | None:
    line = start
    while not line.endswith(b"\r\n"):
        if len(line) >= _V1_MOST:
            raise BadPreamble("a line that is too long")
        line += await read(1)  # what is behind the line is not ours
    words = line[: -len(b"\r\n")].decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":
        return None
    kind = _V1_FAMILIES.get(words[1])
    if kind is None or len(words) != _V1_WORDS or not all(_is_port(word) for word in words[4:]):
        raise BadPreamble("a line that is not as version 1 has it")
    try:
        source, _ = kind(words[2]), kind(words[3])
    except ValueError:
        raise BadPreamble("a line with an address that is none") from None
    return _plain(source)


def _is_port(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= len(str(_LAST_PORT)) and int(word) <= _LAST_PORT


def _plain(address: IPv4Address | IPv6Address) -> str:
    """IPv4-mapped IPv6 as IPv4, because that is who it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(ip_address(address if mapped is None else mapped))
