"""A gateway that sells, with an admin (the stand-in's), for tests of its API."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.demo.data import ADMIN, User
from tests.e2e.selling import CONFIG
from tests.e2e.world import World, world

MEMBERS = "workspace: {membership: upstream}\n"
PASSWORD = "a password of the tests"
ADMINS = f"admins: {{users: [{ADMIN.id}], password: {PASSWORD}}}\nlimits: {{api_calls_per_minute: 100000}}\n"


@asynccontextmanager
async def selling(store_url: str, folder: Path, yaml: str = "") -> AsyncIterator[World]:
    """Admin is the stand-in's; members are those of the upstream; users have 10 units an hour, workspaces nothing."""
    config = CONFIG.format(url=store_url).replace("workspace: {membership: trust_clients}\n", "")
    async with world(folder, f"{MEMBERS}{ADMINS}{config}{yaml}") as running:
        yield running


async def got(here: World, path: str, user: User | None = None, *, status: int = 200, **more: Any) -> Any:
    """The JSON of an answer."""
    answer = await here.ask(f"/billing{path}", user, **more)
    text = await answer.text()
    assert answer.status == status, (answer.status, text)
    return await answer.json() if text else None


def fields(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """What a client of wacraft reads."""
    return headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"], headers["X-RateLimit-Reset"]
