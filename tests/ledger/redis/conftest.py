"""A real Redis for each test that wants one."""

from tests.redis_server.fixtures import *  # noqa: F403
