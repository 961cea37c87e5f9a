"""The browser, once for all tests of a run; a stage of its own for each file, a window of its own for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.ui.chromium import FLAGS, program
from tests.ui.site import Site, Watch, staged

HERE = Path(__file__).parent
PATIENCE_MS = 20_000
"""Far longer than anything here takes: a busy machine makes a test slow, and not wrong."""

Visit = Callable[..., Awaitable[Page]]
expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with staged(tmp_path_factory.mktemp("stage")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
        yield started
        await started.close()


class Windows:
    """Opens windows, and remembers what went wrong in them."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self._browser = browser
        self.site = site
        self.watches: list[Watch] = []
        self._close: list[Callable[[], Awaitable[None]]] = []

    async def open(self, **how: Any) -> tuple[Page, Watch]:
        """A window. ``how``: as Playwright's ``new_context``; English, in Lisbon, if it does not say."""
        settings = {
            "locale": "en-GB",
            "timezone_id": "Europe/Lisbon",
            "viewport": {"width": 1280, "height": 900},
            **how,
        }
        context = await self._browser.new_context(**settings)
        context.set_default_timeout(PATIENCE_MS)
        watch = Watch(context, self.site)
        self.watches.append(watch)
        self._close.append(context.close)
        return await context.new_page(), watch

    async def visit(self, path: str, who: str | None = "alice", **how: Any) -> Page:
        """A page in a new window. ``workspace``, ``view``: where to; the rest as for ``open``."""
        where = {name: how.pop(name) for name in ("workspace", "view") if name in how}
        page, _ = await self.open(**how)
        await page.goto(self.site.address(path, who, **where))
        return page

    async def close(self) -> None:
        for close in self._close:
            await close()


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser, site: Site) -> AsyncIterator[Windows]:
    """After each test: nothing may have been wrong."""
    opened = Windows(browser, site)
    yield opened
    await opened.close()
    assert [wrong for watch in opened.watches for wrong in watch.wrong] == []
