"""What an error of a database means to the caller: each is translated on the line it crosses."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy.exc as sa

from gateway.core.problems import Conflict, Problem, StoreUnavailable, Unprocessable

_CHECKED = re.compile(r"(?:CHECK|NOT NULL) constraint failed: (\S+)")
_TAKEN = re.compile(r"UNIQUE constraint failed: (.+)")
_DATA = "22"
"""The class of SQLSTATE for values that a column cannot hold."""


@contextmanager
def translated() -> Iterator[None]:
    """Raises ``Conflict`` or ``Unprocessable`` for what a constraint refuses, ``StoreUnavailable`` for no database."""
    try:
        yield
    except sa.IntegrityError as error:
        raise _refused(error) from error
    except sa.DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", None) or "").startswith(_DATA):
            raise Unprocessable("A value is too long or holds a character that cannot be kept.") from error
        raise _away(error) from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise Unprocessable("A value is too large or holds a character that cannot be kept.") from error
    except (sa.TimeoutError, sa.ResourceClosedError, OSError) as error:
        raise _away(error) from error


def _away(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(
        "The billing database cannot be reached at the moment; nothing was changed. Try again shortly.",
        content={"reason": type(error).__name__},
        headers=((b"Retry-After", b"1"),),
    )


def _refused(error: sa.IntegrityError) -> Problem:
    """A backstop: use cases look first, and say it with names."""
    text = str(error.orig)
    cause = getattr(error.orig, "__cause__", None)
    name = getattr(cause, "constraint_name", None)
    state = getattr(error.orig, "sqlstate", None)
    if (found := _CHECKED.search(text)) is not None:
        return Unprocessable("A value is outside of what is allowed.", content={"constraint": found[1]})
    if state in ("23514", "23502"):
        return Unprocessable("A value is outside of what is allowed.", content={"constraint": name})
    if (taken := _TAKEN.search(text)) is not None:
        return Conflict("There is one like this already.", content={"constraint": taken[1]})
    if state == "23505":
        return Conflict("There is one like this already.", content={"constraint": name})
    return Conflict("Something that this hangs on is gone, or something hangs on this.", content={"constraint": name})
