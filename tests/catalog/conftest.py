"""What follows the store is tested on both databases."""

from tests.databases.fixtures import *  # noqa: F403
