"""Where the store is: ``sqlite:///file.db`` or ``postgresql://user@host/name``."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.core.url_host import is_at_behind_host

SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgres://")


class Place(NamedTuple):
    """A file for SQLite (``path``), or a server for PostgreSQL (``dsn``, as libpq reads it)."""

    path: Path | None = None
    dsn: str | None = None

    def __str__(self) -> str:
        return f"{SQLITE}{self.path}" if self.path is not None else without_password(self.dsn or "")


def place_of(url: str) -> Place:
    """Read a URL of the store. Raises ``ValueError`` with what is wrong, without the URL: it may hold a password."""
    if url.startswith(POSTGRESQL):
        return Place(dsn=url)
    if not url.startswith(SQLITE):
        raise ValueError("must be sqlite:///path/to/file.db or postgresql://user@host/name")
    path = url.removeprefix(SQLITE)
    if path in ("", ":memory:") or path.endswith("/") or "?" in path or "\x00" in path:
        raise ValueError("must name a file: sqlite:///relative.db or sqlite:////absolute/path.db")
    return Place(path=Path(path))


def without_password(dsn: str) -> str:
    """The URL as it may be shown: no password, and no query, which may hold one."""
    scheme = dsn.partition("://")[0]
    if is_at_behind_host(dsn):
        return f"{scheme}://…"
    try:
        parts = urlsplit(dsn)
    except ValueError:
        return f"{scheme}://…"
    user, _, host = parts.netloc.rpartition("@")
    name = user.partition(":")[0]
    return f"{parts.scheme}://{f'{name}@' if name else ''}{host}{parts.path}"
