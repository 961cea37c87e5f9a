import asyncio

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.problems import BadRequest
from gateway.core.profile import PROFILES, Profile
from gateway.core.target import canonical_target
from gateway.demo.backend import Backend
from gateway.habits.find import CannotTell, Found, differences, find
from gateway.habits.site import Site, Unreachable
from tests.habits.routers import ROUTERS, Manner, Router, Upstream, running

PATH = "/Things/List"


async def ask(upstream: Upstream, path: str = PATH, *headers: tuple[str, str]) -> Found:
    return await asyncio.to_thread(find, Site(upstream.url + path, headers))


def options(profile: Profile) -> tuple[str, ...]:
    return (profile.decode, profile.odd_segments, profile.case, profile.trailing_slash, profile.matrix_params)


def expected(router: Router) -> tuple[str, ...]:
    odd = "data" if router.decode == "none" and not router.merges else "refuse"
    slash = "dropped" if router.slash == "dropped" else "significant"
    return (router.decode, odd, router.case, slash, router.matrix)


async def test_every_habit_is_found_in_every_company() -> None:
    async with running(ROUTERS[0]) as upstream:
        for router in ROUTERS:
            upstream.router = router
            found = await ask(upstream)
            assert options(found.profile) == expected(router), router
            assert (found.unknown, found.dangers) == ((), ()), router


@pytest.mark.parametrize(
    "odd",
    [
        Router("none", merges=True),
        Router("none", merges=True, redirects=True),
        Router("none", dots=True),
        Router("none", backslash=True),
    ],
    ids=["slashes merged", "slashes redirected", "dots resolved", "backslashes"],
)
async def test_odd_segments_are_data_only_where_all_of_them_are(odd: Router) -> None:
    async with running(odd) as upstream:
        assert (await ask(upstream)).profile.odd_segments == "refuse"


@pytest.mark.parametrize("manner", ["always 200", "page", "who are you"])
async def test_the_way_of_answering_does_not_matter(manner: Manner) -> None:
    async with running(ROUTERS[0], manner) as upstream:
        for router in ROUTERS[::5]:
            upstream.router = router
            found = await ask(upstream, PATH, ("Authorization", "Bearer x"))
            assert options(found.profile) == expected(router), router


async def test_the_stand_in_backend_is_fiber() -> None:
    backend = Backend(jwt_secret="a-secret-of-the-tests-that-is-long-enough")
    site = Site(f"{await backend.start()}/user/me")
    try:
        found = await asyncio.to_thread(find, site)
    finally:
        await backend.close()
    assert found.profile == PROFILES["fiber"]
    assert (found.unknown, found.dangers) == ((), ())


async def test_a_real_server_of_another_family_is_strict() -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(text="here")

    app = web.Application()
    app.router.add_get("/things/list", serve)
    app.router.add_get("/things/{id}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        site = Site(f"http://127.0.0.1:{runner.addresses[0][1]}/things/list")
        found = await asyncio.to_thread(find, site)
    finally:
        await runner.cleanup()
    assert found.profile == PROFILES["strict"]


@pytest.mark.parametrize(
    ("router", "said"),
    [
        (Router("twice"), "decodes twice"),
        (Router(cuts_nul=True), "cuts at %00"),
        (Router(suffix=True), "/Things/List.json is answered like /Things/List"),
    ],
    ids=["twice", "nul", "suffix"],
)
async def test_what_no_profile_describes_is_a_danger(router: Router, said: str) -> None:
    async with running(router) as upstream:
        (danger,) = (await ask(upstream)).dangers
        assert said in danger


async def test_parameters_show_nothing_and_fixed_segments_do() -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.match_info["id"] else 404)

    app = web.Application()
    app.router.add_get("/things/{id}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        site = Site(f"http://127.0.0.1:{runner.addresses[0][1]}/things/Seven")
        found = await asyncio.to_thread(find, site)
    finally:
        await runner.cleanup()
    assert found.profile.case == "sensitive"
    assert not [one for one in found.evidence if one.spelling.endswith("sEVEN")]


async def test_what_a_path_cannot_show_becomes_what_is_safest() -> None:
    async with running(Router("none")) as upstream:
        one = await ask(upstream, "/Things")
        assert (one.unknown, one.profile.odd_segments) == (("double slash",), "refuse")
        upstream.router = Router("path")
        one = await ask(upstream, "/Things")
        assert (one.unknown, one.profile.decode) == (("encoded slash", "double slash"), "segments")


@pytest.mark.parametrize(
    ("manner", "path", "said"),
    [
        ("statuses", "/", "no spelling to vary"),
        ("statuses", "/nothing/here", "answered alike"),
        ("who are you", PATH, "answered alike"),
        ("moody", PATH, "not answered in one way"),
        ("nothing", PATH, "was not answered"),
    ],
    ids=["root", "missing", "unknown caller", "moody", "silent"],
)
async def test_what_cannot_be_told_is_said(manner: Manner, path: str, said: str) -> None:
    async with running(Router(), manner) as upstream:
        with pytest.raises(CannotTell, match=said):
            await ask(upstream, path)


@pytest.mark.parametrize("url", ["ftp://h/x", "h/x", "http:///x", "http://h:99999/x", "http://h/x?y", "http://u@h/x"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(Unreachable):
        Site(url)


async def test_only_gets_are_sent_and_every_one_carries_the_headers() -> None:
    async with running(Router("none")) as upstream:
        await ask(upstream, PATH, ("X-Tenant", "seven"))
        assert {head.split(b" ")[0] for head in upstream.heads} == {b"GET"}
        assert all(b"X-Tenant: seven\r\n" in head for head in upstream.heads)
        assert len(upstream.heads) < 60


def test_differences_are_the_options_to_write_down() -> None:
    assert differences(PROFILES["fiber"], PROFILES["fiber"]) == {}
    assert differences(Profile("x", case="insensitive"), PROFILES["strict"]) == {"case": "insensitive"}


WORDS = ["Things", "things", "%54hings", "List", "LIST", "Lis%74", "x", "%78"]
BETWEEN = ["/", "//", "/./", "/../", "\\", "%2F", "%5C", "%2e", ";", ";a=1", "%3Bx", ".", ".."]
PIECES = st.sampled_from(WORDS + BETWEEN)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(ROUTERS), st.lists(PIECES, min_size=1, max_size=7), st.lists(PIECES, min_size=1, max_size=7))
def test_under_the_profile_that_is_found_no_two_spellings_of_one_handler_differ(
    router: Router, one: list[str], other: list[str]
) -> None:
    decode, odd, case, slash, matrix = expected(router)
    profile = Profile("found", decode, odd, case, slash, matrix)  # type: ignore[arg-type]
    segments: dict[str, tuple[str, ...]] = {}
    for pieces in (one, other, ["/Things/List"]):
        raw = "/" + "".join(pieces).lstrip("/\\")
        handler = router.reach(raw)
        try:
            seen = canonical_target("GET", raw.encode(), profile).segments
        except BadRequest:
            continue
        if handler is not None and handler != "→":
            assert segments.setdefault(handler, seen) == seen, raw
