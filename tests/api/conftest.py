"""A whole gateway with its billing database, on either engine, and clients of its API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.clients import YAML, Client, clients
from tests.databases.fixtures import *  # noqa: F403
from tests.e2e.world import World, world


@pytest.fixture
async def shop(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A gateway in which ``ADMIN`` is the admin."""
    async with world(tmp_path, YAML.format(url=store_url)) as running:
        yield running


@pytest.fixture
def admin(shop: World) -> Client:
    return clients(shop).admin


@pytest.fixture
def alice(shop: World) -> Client:
    return clients(shop).alice
