"""The URL of a Redis: one server, one behind Sentinels, or a cluster."""

from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

Kind = Literal["single", "sentinel", "cluster"]

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_PORTS: dict[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}
_OPTIONS = frozenset({"ca", "sentinel_password"})


class Place(NamedTuple):
    """Where Redis is. ``hosts``: the server, the Sentinels, or some nodes of the cluster.

    ``path``: a Unix socket. ``service``: what the Sentinels call the server. ``ca``: a file with the certificates to
    trust; ``None``: the system's.
    """

    kind: Kind
    hosts: tuple[tuple[str, int], ...] = ()
    path: str | None = None
    db: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca: str | None = None
    service: str = ""
    sentinel_password: str | None = None

    def __str__(self) -> str:
        """For people: without credentials."""
        where = self.path or ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        )
        named = f"{self.service} at " if self.service else ""
        return f"{named}{where}" + (f" database {self.db}" if self.db else "")


def place_of(url: str) -> Place:
    """Read a URL. Raises ``ValueError`` with a sentence that does not quote it: it may hold a password."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or not rest:
        raise ValueError(f"must start with one of {', '.join(f'{each}://' for each in SCHEMES)}")
    if scheme == "unix":
        return _socket(rest)
    kind: Kind = "sentinel" if scheme.endswith("+sentinel") else "cluster" if scheme.endswith("+cluster") else "single"
    parts = urlsplit(f"redis://{rest}")
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    options = _options(parts.query)
    service, db = _path(kind, parts.path)
    found = tuple(_host(each, _PORTS[kind]) for each in hosts.split(","))
    if kind == "single" and len(found) != 1:
        raise ValueError("names several hosts: that is redis+sentinel:// or redis+cluster://")
    return Place(
        kind,
        found,
        db=db,
        username=unquote(username) or None,
        password=unquote(password) or None,
        tls=scheme.startswith("rediss"),
        ca=options.get("ca"),
        service=service,
        sentinel_password=options.get("sentinel_password"),
    )


def _socket(rest: str) -> Place:
    parts = urlsplit(f"unix://{rest}")
    credentials, _, host = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    path = unquote(parts.path)
    if host or len(path) < 2:  # noqa: PLR2004  (a slash and something)
        raise ValueError("must be unix:///path/to/redis.sock")
    found = parse_qs(parts.query, strict_parsing=bool(parts.query))
    if unknown := found.keys() - {"db"}:
        raise ValueError(f"has an unknown option {min(unknown)!r}; unix:// knows db")
    db = _number(found.get("db", ["0"])[-1])
    return Place("single", path=path, db=db, username=unquote(username) or None, password=unquote(password) or None)


def _options(query: str) -> dict[str, str]:
    try:
        found = {name: values[-1] for name, values in parse_qs(query, strict_parsing=bool(query)).items()}
    except ValueError:
        raise ValueError("has options that cannot be read; write ?name=value&…") from None
    if unknown := found.keys() - _OPTIONS:
        raise ValueError(f"has an unknown option {min(unknown)!r}; known are {', '.join(sorted(_OPTIONS))}")
    return found


def _path(kind: Kind, path: str) -> tuple[str, int]:
    """The service of Sentinels, and the database."""
    parts = [unquote(part) for part in path.strip("/").split("/") if part]
    service = ""
    if kind == "sentinel":
        if not parts:
            raise ValueError("must name the service: redis+sentinel://host:26379/service")
        service = parts.pop(0)
    if len(parts) > 1 or (kind == "cluster" and parts):
        raise ValueError(
            "has too much after the host; a cluster has no databases"
            if kind == "cluster"
            else "has too much after the host; only the number of a database stands there"
        )
    return service, _number(parts[0]) if parts else 0


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    try:
        name, given = parts.hostname, parts.port
    except ValueError:
        raise ValueError("has a port that is no number from 1 to 65535") from None
    if not name:
        raise ValueError("must name a host")
    return name, given or port


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("names a database that is not a number")
    return int(text)
