"""Whatever a caller writes into any field of any route is a value, and never more."""

from typing import Any

import pytest

from gateway.api.route import Route
from gateway.api.router import Router
from gateway.api.table import routes
from tests.api.clients import PRO, Client

TABLE = Router(routes(with_store=True)).routes
SQL = "x'; DROP TABLE plans; --"
EVIL = (SQL, "\x00%\u202e${JWT_SECRET}", "a" * 100_000, "-1")
SOMEBODY = "11111111-2222-4333-8444-555555555555"


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text[:2000].encode())


async def tried(admin: Client, route: Route, evil: str) -> list[tuple[Any, ...]]:
    """What went wrong with ``evil`` in each field."""
    path = "/" + "/".join(SOMEBODY if part.startswith("{") else part for part in route.segments)
    calls: list[tuple[str, dict[str, Any] | None]] = [
        (f"{path}?{field.alias or name}={quoted(evil)}", None)
        for name, field in (route.asks.model_fields if route.asks is not None else {}).items()
    ]
    fields = route.takes.model_fields if route.takes is not None else {}
    query = f"?id={SOMEBODY}" if route.asks is not None and "id" in route.asks.model_fields else ""
    calls += [(path + query, {name: evil}) for name in fields]
    calls += [(path + query, {name: [evil, {evil[:50]: evil}]}) for name in fields]
    calls.append(("/" + "/".join(quoted(evil) if part.startswith("{") else part for part in route.segments), None))
    wrong: list[tuple[Any, ...]] = []
    for at, body in calls:
        answer = await admin(route.method, at, body)
        text = str(answer.body)
        broken = answer.status >= 500 and "no payment provider is configured" not in text
        if broken or "Traceback" in text or (answer.status >= 400 and len(text) > 10_000):
            wrong.append((route.method, at[:100], str(body)[:60], answer.status, text[:200]))
    return wrong


@pytest.mark.parametrize("evil", EVIL, ids=lambda evil: repr(evil[:12]))
async def test_nothing_that_is_written_breaks_anything(admin: Client, evil: str) -> None:
    made = (await admin.post("/plan", PRO)).body
    wrong: list[tuple[Any, ...]] = []
    for route in TABLE:
        if route.template != "/login":  # it counts, and slowly
            wrong += await tried(admin, route, evil)
    assert wrong == []
    assert (await admin.get(f"/plan/{made['id']}")).body == made
