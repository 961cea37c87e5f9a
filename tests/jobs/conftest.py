"""Jobs run on either database."""

from tests.databases.fixtures import *  # noqa: F403
