"""What all tests share."""

import pytest
from hypothesis import settings

# A shared machine stops for longer than any deadline; what is slow shows in the test run's own time.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
