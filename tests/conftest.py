"""What all tests share."""

from hypothesis import settings

# A shared machine stops for longer than any deadline; what is slow shows in the test run's own time.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
