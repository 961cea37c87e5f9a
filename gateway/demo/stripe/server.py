"""The fake Stripe as a server: its API, its pages, its webhooks, a clock that jumps, and faults on demand."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import ClientSession, ClientTimeout, web

from gateway.clock import now_us
from gateway.demo.stripe import clicks, passing, routes
from gateway.demo.stripe.books import Books, Refusal
from gateway.demo.stripe.delivery import Delivery
from gateway.demo.stripe.form import parsed
from gateway.demo.stripe.money import Money
from gateway.demo.stripe.objects import Object
from gateway.demo.stripe.selling import Selling
from gateway.tasks import Tasks

_UNKEPT = (400, 404)
"""What is refused before it is tried is no answer to an idempotency key."""
Seen = Callable[[str, str, Mapping[str, Any], int, Object], None]
"""Told of each request of the API: method, path, form, status, answer."""


@dataclass(slots=True)
class Fault:
    """What the next request whose path begins with ``path`` meets. ``status`` 0: no answer at all, the connection ends.

    ``hangs_s``: so long nothing comes before that, longer than a client waits.

    ``after``: it is done before it fails, so only the answer is lost. A 500 is the answer to its idempotency key from
    then on, whether it was done or not. ``code`` and ``retry_after``: what the failure says of itself.
    """

    path: str
    status: int
    after: bool = False
    method: str = "POST"
    hangs_s: float = 0.0
    code: str = ""
    retry_after: int | None = None


@dataclass(slots=True)
class _Once:
    """What was answered under an idempotency key."""

    asked: tuple[str, str, bytes]
    status: int
    body: bytes


@dataclass(slots=True)
class FakeStripe:
    """A whole fake. ``now``: seconds; it can only be moved on, with ``advance``."""

    now: Callable[[], int] = lambda: now_us() // 1_000_000
    automatic: bool = True
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    on_request: Seen | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    books: Books = field(init=False)
    money: Money = field(init=False)
    selling: Selling = field(init=False)
    _once: dict[str, _Once] = field(default_factory=dict)
    _tasks: Tasks = field(default_factory=Tasks)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; the URL."""
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/v1/{path:.*}", self._api)
        app.router.add_route("*", "/pay/{id}", self._pay)
        app.router.add_route("*", "/portal/{id}", self._portal)
        app.router.add_get("/{kind:receipts|invoices}/{id}", self._paper)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.begin(f"http://{host}:{self._runner.addresses[0][1]}")
        return self.url

    def begin(self, url: str) -> None:
        """Open empty books. ``url``: where this fake is reached."""
        self.url, self.books = url, Books(self.now)
        self.books.on_event = self._happened
        self.money = Money(self.books, url)
        self.selling = Selling(self.books, self.money, url)

    def subscribe(self, url: str, secret: str) -> Delivery:
        """Send events to ``url`` from now on: by themselves, or when ``deliver`` is called."""
        delivery = Delivery(url, secret, self.now)
        self.deliveries.append(delivery)
        if self.automatic:
            self._tasks.start(delivery.send_forever(self._arrived, self.chance), "deliver webhooks")
        return delivery

    async def deliver(self) -> int:
        """Send what waits, once. How many were taken."""
        async with ClientSession(timeout=ClientTimeout(total=10)) as session:
            return sum([await each.send_all(self.chance, session) for each in self.deliveries])

    def advance(self, seconds: int) -> None:
        """Let time pass, with all that falls due."""
        passing.advance(self.selling, self.books.now + seconds)

    async def close(self) -> None:
        """Stop."""
        await self._tasks.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _happened(self, event: Object) -> None:
        for each in self.deliveries:
            each.waiting.append(event)
        self._arrived.set()

    async def _api(self, request: web.Request) -> web.StreamResponse:
        path, raw = request.match_info["path"].strip("/"), await request.read()
        if not request.headers.get("Authorization", "").startswith("Bearer sk_test_"):
            return _json(
                401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_****"}}
            )
        pairs = list(request.query.items()) + [(name, str(value)) for name, value in (await request.post()).items()]
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        asked = (request.method, path, raw)
        if (known := self._known(asked, key)) is not None:
            return _raw(*known)
        fault = self._fault(request.method, path)
        if fault is None or fault.after:
            status, body = self._answered(request.method, path, pairs)
            if key is not None and status not in _UNKEPT:
                self._once[key] = _Once(asked, status, body)
            if fault is None:
                return _raw(status, body)
        if key is not None and fault.status >= 500:  # noqa: PLR2004
            self._once[key] = _Once(asked, fault.status, _failure(fault))
        return await self._broken(request, fault)

    def _known(self, asked: tuple[str, str, bytes], key: str | None) -> tuple[int, bytes] | None:
        """What was answered to this key before; to another question under the same key: that it is another."""
        known = None if key is None else self._once.get(key)
        if known is None or known.asked == asked:
            return None if known is None else (known.status, known.body)
        said = {
            "type": "idempotency_error",
            "message": "Keys for idempotent requests can only be used with the same parameters.",
        }
        return 400, orjson.dumps({"error": said})

    def _answered(self, method: str, path: str, pairs: list[tuple[str, str]]) -> tuple[int, bytes]:
        self.requests.append((method, path))
        form: Mapping[str, Any] = {}
        try:
            form = parsed(pairs)
            status, answered = 200, routes.answer(self.selling, method, path, form)
        except Refusal as refusal:
            status, answered = refusal.status, refusal.body
        except (KeyError, ValueError, TypeError) as error:
            status, answered = 400, {"error": {"type": "invalid_request_error", "message": f"Missing or bad: {error}"}}
        body = orjson.dumps(answered)  # what it was, whatever whoever is told does then
        if self.on_request is not None:
            self.on_request(method, path, form, status, answered)
        return status, body

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.method in (method, "*") and path.startswith(fault.path):
                self.faults.remove(fault)
                return fault
        return None

    async def _broken(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        await asyncio.sleep(fault.hangs_s)
        if fault.status == 0:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        response = _raw(fault.status, _failure(fault))
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response

    async def _pay(self, request: web.Request) -> web.Response:
        return await clicks.pay(self.selling, request)

    async def _portal(self, request: web.Request) -> web.Response:
        return await clicks.portal(self.selling, request)

    async def _paper(self, request: web.Request) -> web.Response:
        return await clicks.paper(self.selling, request)


def _failure(fault: Fault) -> bytes:
    kind = "rate_limit_error" if fault.status == 429 else "api_error"  # noqa: PLR2004
    said = {"type": kind, "message": "Not today."}
    return orjson.dumps({"error": said | ({"code": fault.code} if fault.code else {})})


def _json(status: int, body: Object) -> web.Response:
    return _raw(status, orjson.dumps(body))


def _raw(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
