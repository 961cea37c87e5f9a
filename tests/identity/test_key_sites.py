"""Fetching key sets from real sites."""

import asyncio
import datetime as dt
import gzip
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.identity.jwks import JwksKeys, Patience
from gateway.identity.key_sites import KeySite, KeySites
from gateway.tasks import Tasks
from tests.identity.test_jwks import EC, ONE, document, jwk
from tests.identity.tokens import NOW, SECOND

GOOD = document(jwk(ONE, kid="one"))
ALGORITHMS = ("RS256",)


async def answer(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/moved":
            raise web.HTTPFound("/jwks")
        case "/packed":
            return web.Response(body=gzip.compress(GOOD), headers={"Content-Encoding": "gzip"})
        case "/endless":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(100):
                await response.write(b" " * 65_536)
            return response
        case "/slow":
            await asyncio.Event().wait()
        case "/cut":
            assert request.transport is not None
            request.transport.abort()
        case "/jwks":
            assert "identity" in request.headers["Accept-Encoding"]
            return web.Response(body=GOOD, headers={"Set-Cookie": "a=b", "Content-Type": "text/plain"})
    return web.Response(status=404)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    running = TestServer(app)
    await running.start_server()
    yield running
    await running.close()


@pytest.fixture
async def sites() -> AsyncIterator[KeySites]:
    tasks = Tasks()
    made = KeySites(tasks)
    yield made
    await tasks.close()
    await made.close()


def site(server: TestServer, path: str, **patience: int) -> KeySite:
    return KeySite(str(server.make_url(path)), ALGORITHMS, Patience(**patience))


async def test_a_key_set_is_fetched_and_counted(server: TestServer, sites: KeySites) -> None:
    keys = sites.keys(site(server, "/jwks"))
    await keys.refresh(NOW)
    assert keys.find("RS256", "one", NOW)
    assert sites.counts() == {("ok",): 1, ("failed",): 0}
    assert sites.ages(NOW + 3 * SECOND) == {(str(server.make_url("/jwks")),): 3.0}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/moved", "the site answered 302"),
        ("/none", "the site answered 404"),
        ("/packed", ""),
        ("/endless", "the document has more than"),
        ("/cut", "the site does not answer"),
    ],
)
async def test_what_is_no_key_set_says_why(server: TestServer, sites: KeySites, path: str, why: str) -> None:
    keys = sites.keys(site(server, path))
    await keys.refresh(NOW)
    assert keys.fetches.failure is not None
    assert why in keys.fetches.failure
    assert sites.counts() == {("ok",): 0, ("failed",): 1}
    assert sites.ages(NOW) == {}


async def test_a_site_that_says_nothing_is_given_up(server: TestServer, sites: KeySites) -> None:
    keys = sites.keys(site(server, "/slow", timeout_us=20_000))
    await keys.refresh(NOW)
    assert keys.fetches.failure == "TimeoutError"


async def test_a_site_that_is_not_there_is_tried_again_after_a_while(server: TestServer, sites: KeySites) -> None:
    one = site(server, "/jwks")
    await server.close()
    keys = sites.keys(one)
    for _ in range(3):
        sites.tend(NOW)
        await keys.refresh(NOW)
    assert keys.fetches.bad == 1
    sites.tend(NOW + Patience().retry_us)
    await keys.refresh(NOW + Patience().retry_us)
    assert keys.fetches.bad == 2


async def test_keys_outlive_a_reload_and_go_with_their_issuer(server: TestServer, sites: KeySites) -> None:
    one, two = site(server, "/jwks"), site(server, "/none")
    kept = sites.keys(one)
    await kept.refresh(NOW)
    sites.keys(two)
    sites.settle(frozenset({one}))
    assert sites.keys(one) is kept
    assert len(sites.counts()) == 2
    assert sites.keys(two).fetches.bad == 0
    sites.settle(frozenset())
    assert sites.keys(one) is not kept


def certificate(folder: Path) -> tuple[str, ssl.SSLContext]:
    """A site's own certificate as PEM, and the context that shows it."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(EC.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(EC, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    both = folder / "site.pem"
    both.write_bytes(pem + EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    return pem.decode(), context


async def test_a_site_is_believed_by_its_certificate_alone(tmp_path: Path, sites: KeySites) -> None:
    pem, context = certificate(tmp_path)
    app = web.Application()
    app.router.add_get("/jwks", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await listener.start()
    try:
        url = f"https://127.0.0.1:{runner.addresses[0][1]}/jwks"
        strange: JwksKeys = sites.keys(KeySite(url, ALGORITHMS))
        await strange.refresh(NOW)
        assert strange.fetches.failure == "the site does not answer (ClientConnectorCertificateError)"
        trusted = sites.keys(KeySite(url, ALGORITHMS, ca=pem))
        await trusted.refresh(NOW)
        assert trusted.fetches.failure is None
        assert trusted.find("RS256", "one", NOW)
    finally:
        await runner.cleanup()
