from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from gateway.demo.backend import Backend
from gateway.demo.data import ACME
from tests.demo.wire import Clock

Headers = Callable[..., dict[str, str]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(clock: Clock) -> Backend:
    return Backend(jwt_secret="a secret of the tests, long enough", send_delay_s=0.01, clock=clock)


@pytest.fixture
async def url(backend: Backend) -> AsyncIterator[str]:
    yield await backend.start()
    await backend.close()


@pytest.fixture
async def client(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url=url) as session:
        yield session


@pytest.fixture
def signed(backend: Backend) -> Headers:
    """Headers of a user in a workspace (no workspace header for an empty one)."""

    def headers(user: str = "alice", workspace: str = ACME.id) -> dict[str, str]:
        found = {"Authorization": f"Bearer {backend.token(user)}"}
        return found | ({"X-Workspace-ID": workspace} if workspace else {})

    return headers
