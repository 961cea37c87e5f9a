"""The command on SQLite and on PostgreSQL."""

from tests.databases.fixtures import *  # noqa: F403
