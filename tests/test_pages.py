import gzip
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from gateway import pages
from tests.e2e.world import PLANS, World, world

STATIC = Path(pages.__file__).parents[1] / "admin_ui" / "static"
FIRST_PAINT = 100 * 1024
TOKEN_FIELDS = {"Accept-Encoding": "gzip, br"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, PLANS) as made:
        yield made


def said(answer: ClientResponse) -> bytes:
    """The body, which was read already."""
    return answer._body or b""


def body(answer: ClientResponse) -> str:
    raw = said(answer)
    return (gzip.decompress(raw) if answer.headers.get("Content-Encoding") == "gzip" else raw).decode()


def named(html: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', html)


@pytest.mark.parametrize(
    "path", ["/billing", "/billing/", "/Billing", "/billing-success", "/billing-cancel", "/billing-admin"]
)
async def test_each_page_is_html_that_is_asked_for_each_time(here: World, path: str) -> None:
    answer = await here.ask(path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert (body(answer)).startswith("<!doctype html>")
    assert here.arrived == []


async def test_everything_a_page_names_is_there_and_is_kept_for_good(here: World) -> None:
    for page in ("/billing", "/billing-admin", "/billing-success", "/billing-cancel"):
        paths = named(body(await here.ask(page)))
        assert len(paths) > 5
        for path in paths:
            answer = await here.ask(path)
            assert answer.status == 200, path
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_page_names_every_module_it_will_import(here: World) -> None:
    paths = named(body(await here.ask("/billing")))
    modules = {path for path in paths if path.endswith(".js")}
    for path in modules:
        source = body(await here.ask(path))
        for relative in re.findall(r'^import [^"\n]*"(\.[^"]+)"', source, re.MULTILINE):
            assert os.path.normpath(Path(path).parent / relative) in modules, f"{path} imports {relative}"


async def test_no_page_lets_anything_run_that_is_not_its_own(here: World) -> None:
    answer = await here.ask("/billing-admin")
    policy = answer.headers["Content-Security-Policy"]
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    own = {"script-src", "style-src", "img-src", "connect-src"}
    assert {name for name, source in allowed.items() if source == "'self'"} == own
    assert allowed["form-action"] == allowed["base-uri"] == "'none'"
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    html = body(answer)
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", html)
    assert not re.search(r"https?://(?!this-host)", html)


async def test_where_the_origin_is_known_nothing_but_the_pages_folder_may_run(tmp_path: Path) -> None:
    yaml = PLANS + "payments: {return_origins: ['https://pay.example']}\n"
    async with world(tmp_path, yaml) as made:
        known = await made.ask("/billing", headers={"Host": "pay.example"})
        assert "script-src https://pay.example/billing/assets/;" in known.headers["Content-Security-Policy"]
        other = await made.ask("/billing")
        assert "script-src 'self';" in other.headers["Content-Security-Policy"]
        asset = named(body(other))[1]
        assert (await made.ask(asset)).headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_the_same_again_is_not_sent_twice(here: World) -> None:
    first = await here.ask("/billing", headers=TOKEN_FIELDS)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    again = await here.ask("/billing", headers={**TOKEN_FIELDS, "If-None-Match": f'"other", {tag}'})
    assert (again.status, said(again)) == (304, b"")
    assert again.headers["ETag"] == tag
    plain = await here.ask("/billing", headers={"Accept-Encoding": "identity"})
    assert plain.headers["ETag"] != tag  # other bytes, another strong tag (RFC 9110, 8.8.3.3)
    assert (await here.ask("/billing", headers={"Accept-Encoding": "identity", "If-None-Match": tag})).status == 200


async def test_who_takes_no_gzip_gets_none(here: World) -> None:
    for accepted, coding in (("gzip", "gzip"), ("gzip;q=0", None), ("br", None), ("GZip, br;q=1", "gzip")):
        answer = await here.ask("/billing", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("Content-Encoding") == coding, accepted
        assert answer.headers["Vary"] == "Accept-Encoding, Accept-Language"
        assert "<!doctype" in body(answer)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("en-GB, pt;q=0.5", "en"),
        ("de, pt;q=0.4, en;q=0.3", "pt"),
        ("pt;q=0, de", "en"),
        ("pt;q=x", "en"),
    ],
)
async def test_a_page_is_in_the_readers_language_before_any_script_runs(
    here: World, accepted: str | None, language: str
) -> None:
    answer = await here.ask("/billing", headers={} if accepted is None else {"Accept-Language": accepted})
    html = body(answer)
    assert f'<html lang="{language}">' in html
    assert ("This page needs JavaScript" in html, "Esta página precisa de JavaScript" in html) == (
        language == "en",
        language == "pt",
    )
    assert "{{" not in html
    other = await here.ask("/billing", headers={"Accept-Language": "en" if language == "pt" else "pt"})
    assert other.headers["ETag"] != answer.headers["ETag"]
    assert "Accept-Language" in answer.headers["Vary"]


async def test_a_file_of_another_version_is_the_present_one_and_is_not_kept(here: World) -> None:
    answer = await here.ask("/billing/assets/0123456789abcdef/js/base.js")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")


@pytest.mark.parametrize(
    "path", ["", "/", "/x", "/x/js/none.js", "/x/shell.html", "/x/vendor/uplot.d.ts", "/x/js/%2e%2e/shell.html"]
)
async def test_what_is_no_asset_is_not_there(here: World, path: str) -> None:
    answer = await here.ask(f"/billing/assets{path}")
    assert answer.status in {400, 404}
    assert here.arrived == []


async def test_pages_are_only_read(here: World) -> None:
    answer = await here.ask("/billing-admin", method="POST")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    head = await here.ask("/billing", method="HEAD")
    assert (head.status, said(head)) == (200, b"")


async def test_pages_follow_the_prefixes(tmp_path: Path) -> None:
    yaml = PLANS + "prefixes: {api: /shop/money, admin: /shop-keeper}\n"
    async with world(tmp_path, yaml) as made:
        html = body(await made.ask("/shop/money"))
        assert all(path.startswith("/shop/money/assets/") for path in named(html))
        assert (await made.ask("/shop-keeper")).status == 200
        assert (await made.ask("/shop/money-success")).status == 200
        assert (await made.ask("/billing-success")).status != 200


@pytest.mark.parametrize("entry", ["customer", "admin", "success", "cancel"])
def test_the_first_paint_is_small(entry: str) -> None:
    tree = pages.load("/billing")
    raw = {name: file.raw for name, file in tree.assets.items()}
    needed = {f"js/{entry}.js", *pages.imported(f"js/{entry}.js", raw)}
    needed |= {name for name in tree.assets if name.endswith(".css")} | {"icon.svg"}
    size = sum(len(tree.assets[name].packed) for name in needed)
    assert "vendor/htm-preact.js" in needed
    assert "vendor/uplot.js" not in needed  # fetched with the first chart
    assert size <= FIRST_PAINT


async def test_without_their_libraries_the_pages_say_so(
    here: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "shell.html").write_text("")
    monkeypatch.setattr(pages, "_folder", lambda: tmp_path)
    pages.load.cache_clear()
    try:
        answer = await here.ask("/billing")
        assert answer.status == 503
        assert "make ui" in await answer.text()
    finally:
        pages.load.cache_clear()
