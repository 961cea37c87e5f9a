"""What load balancers say of a connection, well or badly (HAProxy's ``proxy-protocol.txt``), and whose it is then."""

import asyncio
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from tests.transport.backend import backends
from tests.transport.certificates import Authority
from tests.transport.world import LAST_GET, PATIENCE_S, ask, connect, ended, running, trusting

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FOUR = IPv4Address("203.0.113.9").packed + IPv4Address("192.0.2.1").packed + struct.pack("!HH", 40_000, 443)
SIX = IPv6Address("2001:db8::9").packed + IPv6Address("2001:db8::1").packed + struct.pack("!HH", 40_000, 443)
MAPPED = IPv6Address("::ffff:203.0.113.9").packed + SIX[16:]
ADDITION = b"\x04\x00\x05hello" + b"\x20\x00\x02xx"


def header(command: int, family: int, body: bytes, length: int | None = None) -> bytes:
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body) if length is None else length) + body


GOOD = {
    "IPv4": (header(0x21, 0x11, FOUR), "203.0.113.9"),
    "IPv4 and additions": (header(0x21, 0x11, FOUR + ADDITION), "203.0.113.9"),
    "IPv6": (header(0x21, 0x21, SIX), "2001:db8::9"),
    "IPv4 in IPv6": (header(0x21, 0x21, MAPPED), "203.0.113.9"),
    "a health check": (header(0x20, 0x00, b""), "127.0.0.1"),
    "a health check with addresses that do not count": (header(0x20, 0x11, FOUR), "127.0.0.1"),
    "unspecified": (header(0x21, 0x00, b""), "127.0.0.1"),
    "a Unix socket": (header(0x21, 0x31, bytes(216)), "127.0.0.1"),
    "as many additions as are read": (header(0x21, 0x11, FOUR + bytes(4096 - len(FOUR))), "203.0.113.9"),
    "version 1": (b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\r\n", "203.0.113.9"),
    "version 1, IPv6": (b"PROXY TCP6 2001:db8::9 2001:db8::1 40000 443\r\n", "2001:db8::9"),
    "version 1, unknown": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1"),
}
BAD = {
    "no signature": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a signature that is nearly one": b"\r\n\r\n\x00\r\nQUIT\r" + header(0x21, 0x11, FOUR)[12:],
    "version 3": header(0x31, 0x11, FOUR),
    "version 1 in the form of 2": header(0x11, 0x11, FOUR),
    "an unknown command": header(0x22, 0x11, FOUR),
    "UDP": header(0x21, 0x12, FOUR),
    "a family that does not exist": header(0x21, 0x41, FOUR),
    "addresses that are too short": header(0x21, 0x11, FOUR[:11]),
    "IPv6 as long as IPv4": header(0x21, 0x21, FOUR),
    "a Unix socket's that are too short": header(0x21, 0x31, bytes(215)),
    "more than is read": header(0x21, 0x11, b"", 4097),
    "all that two bytes can say": header(0x21, 0x11, b"", 65535),
    "version 1 without an end": b"PROXY TCP4 " + b"1" * 200,
    "version 1, UDP": b"PROXY UDP4 203.0.113.9 192.0.2.1 40000 443\r\n",
    "version 1, one of each family": b"PROXY TCP4 2001:db8::9 192.0.2.1 40000 443\r\n",
    "version 1, a port too many": b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 65536\r\n",
    "version 1, a port with a sign": b"PROXY TCP4 203.0.113.9 192.0.2.1 +4000 443\r\n",
    "version 1, leading zeros": b"PROXY TCP4 203.0.113.009 192.0.2.1 40000 443\r\n",
    "version 1, two spaces": b"PROXY  TCP4 203.0.113.9 192.0.2.1 40000 443\r\n",
    "version 1, a bare line feed": b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 443\n\r\n",
    "version 1, in lower case": b"proxy TCP4 203.0.113.9 192.0.2.1 40000 443\r\n",
}
YAML = "proxy_protocol: {{networks: [127.0.0.0/8]}}\nupstream: {{url: '{}'}}"


async def test_the_client_is_whom_the_balancer_names(tmp_path: Path) -> None:
    async with backends("a") as (backend,), running(tmp_path, YAML.format(backend.url)) as gateway:
        for name, (preamble, client) in GOOD.items():
            for pieces in (1, len(preamble)):
                before = len(backend.heads)
                talk = await connect(gateway.urls[0])
                size = len(preamble) // pieces
                for at in range(0, len(preamble), size) if len(preamble) < 300 else (0,):
                    await talk.send(preamble[at : at + size] if len(preamble) < 300 else preamble)
                await talk.send(LAST_GET)
                assert (await ended(talk)).endswith(b"a"), name
                assert b"X-Forwarded-For: %b\r\n" % client.encode() in backend.heads[before], name


@pytest.mark.parametrize("preamble", BAD.values(), ids=BAD)
async def test_what_is_no_header_ends_the_connection_before_a_request(tmp_path: Path, preamble: bytes) -> None:
    async with backends("a") as (backend,), running(tmp_path, YAML.format(backend.url)) as gateway:
        talk = await connect(gateway.urls[0])
        await talk.send(preamble + LAST_GET)
        with suppress(ConnectionError):
            assert await ended(talk) == b""
        assert (await ask(gateway.urls[0], header(0x20, 0, b"") + LAST_GET)).body == b"a"
    assert len(backend.heads) == 1


async def test_a_header_that_does_not_come_ends_the_connection(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = YAML.format(backend.url) + "\nlimits: {head_timeout: 200ms}"
        async with running(tmp_path, yaml) as gateway:
            for begun in (b"", SIGNATURE, header(0x21, 0x11, FOUR)[:-1], b"PROXY TCP4 "):
                talk = await connect(gateway.urls[0])
                await talk.send(begun)
                with suppress(ConnectionError):
                    assert await ended(talk) == b""
    assert backend.heads == []


async def test_a_second_header_is_no_request(tmp_path: Path) -> None:
    """Whoever speaks through a balancer cannot name another address behind what the balancer said."""
    async with backends("a") as (backend,), running(tmp_path, YAML.format(backend.url)) as gateway:
        talk = await connect(gateway.urls[0])
        await talk.send(header(0x21, 0x11, FOUR) + header(0x21, 0x21, SIX) + LAST_GET)
        assert (await ended(talk)).startswith(b"HTTP/1.1 400 ")
    assert backend.heads == []


async def test_tls_begins_where_the_header_ends(tmp_path: Path, authority: Authority) -> None:
    own = authority.issue("gateway")
    async with backends("a") as (backend,):
        yaml = YAML.format(backend.url) + f"\ntls: {{cert: {own.cert}, key: {own.key}}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(header(0x21, 0x11, FOUR + ADDITION))
            async with asyncio.timeout(PATIENCE_S):
                await talk.writer.start_tls(trusting(authority.ca), server_hostname="127.0.0.1")
                await talk.send(LAST_GET)
                assert (await talk.rest()).endswith(b"a")
            talk.writer.close()
    assert b"X-Forwarded-For: 203.0.113.9\r\n" in backend.heads[0]
    assert b"X-Forwarded-Proto: https\r\n" in backend.heads[0]
