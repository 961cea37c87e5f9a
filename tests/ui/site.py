"""What a browser's test can do: start the stage, visit a page as somebody, look at it, send requests to meter."""

import asyncio
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, Route

ROOT = Path(__file__).parents[2]
PHONE = {"width": 360, "height": 740}
AXE = ROOT / "tests" / "node" / "node_modules" / "axe-core" / "axe.min.js"
"""``make ui`` brings it."""
HIDE = (
    "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    "document.dispatchEvent(new Event('visibilitychange'))"
)
"""Hides the page (``true``), or shows it again (``false``)."""
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


class Site:
    """A running stage. ``shop``: where buyers pay. ``tokens``: by user; ``acme``, ``beta``: workspaces."""

    def __init__(self, facts: dict[str, Any], process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.url: str = facts["url"]
        self.shop: str = facts["shop"]
        self.tokens: dict[str, str] = facts["tokens"]
        self.acme: str = facts["acme"]
        self.beta: str = facts["beta"]

    def address(self, path: str, who: str | None, *, workspace: str | None = None, view: str = "") -> str:
        """A page for somebody who is signed in by the fragment; ``None``: for nobody."""
        if who is None:
            return f"{self.url}{path}" + (f"#/{view}" if view else "")
        named = "" if workspace is None else f"&workspace={workspace}"
        return f"{self.url}{path}#access_token={self.tokens[who]}{named}&view={view}"

    async def happen(self, what: str) -> None:
        """Something in the shop: see the stage."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{what}\n".encode())
        assert await stdout.readline() == b"done\n"

    def newcomer(self, name: str) -> str:
        """Register somebody at the upstream and sign them in; their id."""
        who = {"name": name, "email": f"{name}@example.com", "password": f"{name}-password-1"}
        user = self.call("/auth/register", "alice", method="POST", body=who)
        self.call(f"/auth/verify-email?token={user['id']}", "alice")
        login = {"grant_type": "password", "username": who["email"], "password": who["password"]}
        self.tokens[name] = self.call("/user/oauth/token", "alice", method="POST", body=login)["access_token"]
        return str(user["id"])

    def call(
        self, path: str, who: str, *, method: str = "GET", body: object = None, workspace: str | None = None
    ) -> Any:
        """One request, without the browser; the JSON of its answer, or its status where it is refused."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/json"}
        if workspace is not None:
            headers["X-Workspace-ID"] = workspace
        data = None if method == "GET" else json.dumps(body if body is not None else {}).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  (our own stage)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            return refused.code


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Site]:
    """The stage, in a process of its own."""
    command = (sys.executable, "-m", "tests.ui.stage", str(folder))
    pipe = asyncio.subprocess.PIPE
    with (folder / "stage.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=log)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = await process.stdout.readline()
            assert line, (folder / "stage.log").read_text()
            yield Site(json.loads(line), process)
        finally:
            process.stdin.close()
            await process.wait()


class Watch:
    """What went wrong in a browser's window: errors on its console, exceptions, requests to other hosts."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self._expected: tuple[str, ...] = ()
        self._own = (site.url, site.shop, "blob:", "data:")
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrong.append(f"exception: {error.error}"))
        context.on("request", lambda request: self._asked(request.url))

    def expect(self, *texts: str) -> None:
        """These may be on the console: the test makes the server fail."""
        self._expected += texts

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in self._expected):
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, url: str) -> None:
        self.asked.append(url)
        if not url.startswith(self._own):
            self.wrong.append(f"another host: {url}")


async def violations(page: Page, *rules: str) -> list[str]:
    """What axe-core finds wrong with the page as it is now. ``rules``: these only."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(await asyncio.to_thread(AXE.read_text))
    wanted = {"runOnly": list(rules)} if rules else _RULES
    found = await page.evaluate("rules => axe.run(document, rules)", wanted)
    said = []
    for one in found["violations"]:
        places = [node["target"] for node in one["nodes"]]
        said.append(f"{one['id']}: {one['help']} {places} {one['nodes'][0].get('failureSummary')}")
    return said


async def slow_line(page: Page) -> Callable[[int], Awaitable[None]]:
    """Give the page a slow line. What is returned sets how many milliseconds an answer takes on it."""
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Network.enable")

    async def latency(ms: int) -> None:
        slow = {"offline": False, "latency": ms, "downloadThroughput": 40_000, "uploadThroughput": 20_000}
        await cdp.send("Network.emulateNetworkConditions", slow)

    await latency(400)
    return latency


async def let_pass(page: Page, seconds: int, *, until: Locator | None = None) -> None:
    """Seconds by the page's clock, one by one, so that answers, which take real time, are in time for it.

    ``until``: no longer than until this is gone.
    """
    for _ in range(seconds):
        await page.clock.run_for(1_000)
        await asyncio.sleep(0.02)
        if until is not None and await until.count() == 0:
            return


async def answer(
    page: Page, pattern: str | re.Pattern[str], body: object, *, status: int = 200, only: Iterable[str] = ()
) -> None:
    """Let requests that match ``pattern`` get ``body``; ``only``: of these methods."""

    async def fulfil(route: Route) -> None:
        if only and route.request.method not in only:
            await route.fallback()
            return
        await route.fulfill(status=status, content_type="application/json", body=json.dumps(body))

    await page.route(pattern, fulfil)
