"""Fixtures for tests with a real Redis: ``from tests.redis_server.fixtures import *`` in a conftest."""

from collections.abc import Iterator

import pytest

from tests.redis_server.server import RedisServer, own_redis, redis_url

__all__ = ["mortal", "redis"]


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    """The URL of a Redis that all tests of the run share."""
    with redis_url() as url:
        yield url


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A Redis of one test's own, to be harmed."""
    with own_redis() as server:
        yield server
