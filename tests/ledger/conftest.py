"""Ledgers run on the Redis of the test run too."""

from tests.redis_server.fixtures import *  # noqa: F403
