"""TLS to the upstream: who vouches for it, which name it must have, and who we say that we are."""

import ssl
from pathlib import Path

from tests.transport.backend import Backend
from tests.transport.certificates import Authority, Pair
from tests.transport.world import ask, running


def serving(pair: Pair, clients: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
    context.load_cert_chain(pair.cert, pair.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def asked(folder: Path, backend: Backend, tls: str, times: int = 1) -> list[tuple[int, bytes]]:
    """What a gateway in front of ``backend`` answers."""
    await backend.listen()
    try:
        async with running(folder, f"upstream: {{url: '{backend.url}', tls: {{{tls}}}}}") as gateway:
            answers = [await ask(gateway.urls[0]) for _ in range(times)]
    finally:
        await backend.kill()
    return [(answer.status, answer.body) for answer in answers]


async def test_the_upstream_is_asked_over_tls_and_the_handshake_is_paid_for_once(
    tmp_path: Path, authority: Authority
) -> None:
    backend = Backend(tls=serving(authority.issue("api")))
    assert await asked(tmp_path, backend, f"ca: {authority.ca}", times=3) == [(200, b"a")] * 3
    assert len(backend.shown) == 1


async def test_an_upstream_that_nobody_vouches_for_is_sent_nothing(tmp_path: Path, authority: Authority) -> None:
    backend = Backend(tls=serving(Authority(tmp_path, "stranger").issue("api")))
    ((status, _),) = await asked(tmp_path, backend, f"ca: {authority.ca}")
    assert (status, backend.heads) == (502, [])


async def test_the_certificate_must_have_the_name_that_is_asked_for(tmp_path: Path, authority: Authority) -> None:
    backend = Backend(tls=serving(authority.issue("api", "api.internal")))
    ((status, _),) = await asked(tmp_path, backend, f"ca: {authority.ca}")
    assert (status, backend.heads) == (502, [])
    assert await asked(tmp_path, backend, f"ca: {authority.ca}, server_name: api.internal") == [(200, b"a")]


async def test_without_verification_any_certificate_will_do(tmp_path: Path, authority: Authority) -> None:
    backend = Backend(tls=serving(authority.issue("api", "elsewhere.example")))
    assert await asked(tmp_path, backend, "verify: false") == [(200, b"a")]


async def test_the_gateway_shows_its_own_certificate_to_an_upstream_that_asks(
    tmp_path: Path, authority: Authority
) -> None:
    own = authority.issue("weighbridge", "weighbridge.internal")
    backend = Backend(tls=serving(authority.issue("api"), clients=authority.ca))
    assert await asked(tmp_path, backend, f"ca: {authority.ca}, cert: {own.cert}, key: {own.key}") == [(200, b"a")]
    assert "weighbridge.internal" in str(backend.shown[-1])


async def test_an_upstream_that_asks_who_calls_is_sent_nothing_without_an_answer(
    tmp_path: Path, authority: Authority
) -> None:
    backend = Backend(tls=serving(authority.issue("api"), clients=authority.ca))
    ((status, _),) = await asked(tmp_path, backend, f"ca: {authority.ca}")
    assert (status, backend.heads) == (502, [])


async def test_the_name_that_is_asked_for_is_the_one_that_is_configured(tmp_path: Path, authority: Authority) -> None:
    names: list[str | None] = []
    context = serving(authority.issue("api", "api.internal"))
    context.sni_callback = lambda _handshake, name, _context: names.append(name)
    backend = Backend(tls=context)
    assert await asked(tmp_path, backend, f"ca: {authority.ca}, server_name: api.internal") == [(200, b"a")]
    assert names == ["api.internal"]
