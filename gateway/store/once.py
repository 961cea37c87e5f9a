"""A call that may be repeated, because its answer may be lost: by what it is known as the same one."""

from typing import NamedTuple


class Once(NamedTuple):
    """The key under which a call is known, and a digest of what it says."""

    key: str
    digest: str
