"""The gateway's own address: TLS that is renewed while it runs, Unix sockets, and balancers that say whose it is."""

import asyncio
import socket
import ssl
import struct
import warnings
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from gateway.settings.load import load
from gateway.settings.problems import SettingsErrors
from tests.transport.backend import backends
from tests.transport.certificates import Authority
from tests.transport.world import GET, LAST_GET, PATIENCE_S, answer, ask, connect, ended, running, trusting

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def version_2(client: str) -> bytes:
    """A PROXY protocol header, version 2, for TCP over IPv4."""
    addresses = IPv4Address(client).packed + IPv4Address("192.0.2.1").packed + struct.pack("!HH", 40_000, 443)
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(addresses)) + addresses


async def test_clients_speak_tls_and_the_upstream_is_told(tmp_path: Path, authority: Authority) -> None:
    own = authority.issue("gateway")
    async with backends("a") as (backend,):
        yaml = f"tls: {{cert: {own.cert}, key: {own.key}}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            (url,) = gateway.urls
            assert url.startswith("https://")
            assert (await ask(url, tls=trusting(authority.ca), name="127.0.0.1")).body == b"a"
        assert b"X-Forwarded-Proto: https\r\n" in backend.heads[0]


async def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(tmp_path: Path, authority: Authority) -> None:
    own, later = authority.issue("gateway"), authority.issue("later", "127.0.0.1", "later.example")

    async def names(url: str) -> str:
        talk = await connect(url, trusting(authority.ca), "127.0.0.1")
        shown = str(talk.writer.get_extra_info("peercert"))
        talk.writer.close()
        return shown

    async with backends("a") as (backend,):
        yaml = f"tls: {{cert: {own.cert}, key: {own.key}}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            (url,) = gateway.urls
            assert "later.example" not in await names(url)
            own.take(later)

            await gateway.reload(load(tmp_path / "gateway.yaml", {}))
            assert "later.example" in await names(url)
            own.cert.write_text("no certificate")
            with pytest.raises(SettingsErrors, match=r"tls\.cert"):
                load(tmp_path / "gateway.yaml", {})
            assert "later.example" in await names(url)


async def test_a_client_without_tls_gets_no_answer_where_tls_is_spoken(tmp_path: Path, authority: Authority) -> None:
    own = authority.issue("gateway")
    async with backends("a") as (backend,):
        yaml = f"tls: {{cert: {own.cert}, key: {own.key}}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0].replace("https", "http"))
            await talk.send(LAST_GET)
            with suppress(ConnectionResetError):
                assert not (await ended(talk)).startswith(b"HTTP")
        assert backend.heads == []


async def test_unix_sockets_on_both_sides(tmp_path: Path) -> None:
    door, behind = tmp_path / "door", tmp_path / "behind"
    async with backends("a") as (backend,):
        await backend.kill()
        backend.path = behind
        await backend.listen()
        yaml = f"listen: 'unix:{door}'\nupstream: {{url: 'unix:{behind}'}}"
        async with running(tmp_path, yaml) as gateway:
            assert gateway.urls == [f"unix:{door}"]
            assert (await ask(gateway.urls[0])).body == b"a"
        assert not door.exists()


async def test_a_socket_that_a_dead_gateway_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    door = tmp_path / "door"
    async with backends("a") as (backend,):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(door))
        assert door.exists()
        async with running(tmp_path, f"listen: 'unix:{door}'\nupstream: {{url: '{backend.url}'}}") as gateway:
            assert (await ask(gateway.urls[0])).body == b"a"


async def test_a_balancer_says_whose_a_connection_is(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"proxy_protocol: {{networks: [127.0.0.0/8]}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(version_2("203.0.113.9"))
            assert (await answer(talk, GET)).body == b"a"
            talk.writer.close()
        assert b"X-Forwarded-For: 203.0.113.9\r\n" in backend.heads[0]


async def test_a_connection_from_a_balancer_without_the_header_is_ended(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"proxy_protocol: {{networks: [127.0.0.0/8]}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(LAST_GET)
            with suppress(ConnectionResetError):
                assert await ended(talk) == b""
        assert backend.heads == []


async def test_a_header_from_somewhere_else_is_no_header(tmp_path: Path) -> None:
    async with backends("a") as (backend,):
        yaml = f"proxy_protocol: {{networks: [192.0.2.0/24]}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            talk = await connect(gateway.urls[0])
            await talk.send(version_2("203.0.113.9") + LAST_GET)
            assert (await ended(talk)).startswith(b"HTTP/1.1 400 ")
        assert backend.heads == []


async def test_certificates_renewed_under_load_fail_nobody(tmp_path: Path, authority: Authority) -> None:
    own = authority.issue("gateway")
    others = [authority.issue(f"later{number}", "127.0.0.1", f"later{number}.example") for number in range(4)]
    seen, stop = set[str](), asyncio.Event()
    async with backends("a") as (backend,):
        yaml = f"tls: {{cert: {own.cert}, key: {own.key}}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            (url,) = gateway.urls

            async def client() -> None:
                while not stop.is_set():
                    talk = await connect(url, trusting(authority.ca), "127.0.0.1")
                    for _ in range(2):
                        assert (await answer(talk)).body == b"a"
                    names = dict(talk.writer.get_extra_info("peercert")["subjectAltName"])
                    seen.add(names.get("DNS", ""))
                    talk.writer.close()

            clients = [asyncio.ensure_future(client()) for _ in range(3)]
            kept = await connect(url, trusting(authority.ca), "127.0.0.1")
            for number, later in enumerate(others):
                own.take(later)
                await gateway.reload(load(tmp_path / "gateway.yaml", {}))
                async with asyncio.timeout(PATIENCE_S):
                    while f"later{number}.example" not in seen:
                        await asyncio.sleep(0.005)
                assert (await answer(kept)).body == b"a"
            stop.set()
            await asyncio.gather(*clients)
            kept.writer.close()
    assert seen >= {f"later{number}.example" for number in range(4)}


@pytest.mark.parametrize("name", ["api.example", "127.0.0.1", "x" * 60 + ".example"])
async def test_whatever_name_is_asked_for_the_one_certificate_is_shown(
    tmp_path: Path, authority: Authority, name: str
) -> None:
    own, careless = authority.issue("gateway"), trusting(authority.ca)
    careless.check_hostname = False
    async with backends("a") as (backend,):
        yaml = f"tls: {{cert: {own.cert}, key: {own.key}}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            assert (await ask(gateway.urls[0], tls=careless, name=name)).body == b"a"


async def test_old_tls_is_not_spoken(tmp_path: Path, authority: Authority) -> None:
    own, old = authority.issue("gateway"), trusting(authority.ca)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with backends("a") as (backend,):
        yaml = f"tls: {{cert: {own.cert}, key: {own.key}}}\nupstream: {{url: '{backend.url}'}}"
        async with running(tmp_path, yaml) as gateway:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await ask(gateway.urls[0], tls=old, name="127.0.0.1")
            assert (await ask(gateway.urls[0], tls=trusting(authority.ca), name="127.0.0.1")).body == b"a"
        assert len(backend.heads) == 1
