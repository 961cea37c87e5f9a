"""Whether somebody waits for what is asked of a provider: a customer at a page, or nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_nobody: ContextVar[bool] = ContextVar("nobody waits", default=False)


@contextmanager
def unattended() -> Iterator[None]:
    """What is asked in here can wait until customers were served."""
    before = _nobody.set(True)
    try:
        yield
    finally:
        _nobody.reset(before)


def somebody_waits() -> bool:
    """Unless it was said that nobody does."""
    return not _nobody.get()
