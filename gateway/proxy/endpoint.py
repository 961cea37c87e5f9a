"""One address of an upstream: what its URL says, and how a connection to it is opened."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

_Made = TypeVar("_Made", bound=asyncio.BaseProtocol)
_PORTS = {"http": 80, "https": 443}
_UNIX = "unix:"
_SHUTDOWN_S = 2.0
"""How long an upstream may take to answer the end of a TLS connection."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``host`` (a name or an address) and ``port``, or the Unix socket ``path``.

    ``authority``: what ``Host`` says where nobody else does. ``tls``: ``None`` is plain text. ``server_name``: the name
    that is asked for in the handshake and that the certificate must have.
    """

    host: str = ""
    port: int = 0
    path: str | None = None
    authority: bytes = b"localhost"
    tls: ssl.SSLContext | None = None
    server_name: str | None = None

    @classmethod
    def parse(cls, url: str, tls: ssl.SSLContext | None = None, server_name: str | None = None) -> "Endpoint":
        """Read ``http://host[:port]``, ``https://host[:port]`` or ``unix:/path``. Raises ``ValueError``.

        ``tls``, ``server_name``: for ``https``; ``None``: what the system trusts, and the URL's host.
        """
        if url.startswith(_UNIX):
            path = url.removeprefix(_UNIX)
            if not path.startswith("/"):
                raise ValueError(f"an upstream's Unix socket is unix:/path, not {url!r}")
            return cls(path=path)
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise ValueError(f"an upstream is http[s]://host[:port] or unix:/path, not {url!r}")
        found = cls(parts.hostname, parts.port or _PORTS[parts.scheme], authority=parts.netloc.encode())
        if parts.scheme == "http":
            return found
        return replace(found, tls=tls or ssl.create_default_context(), server_name=server_name or parts.hostname)

    @property
    def label(self) -> str:
        """As logs and metrics show it: ``10.0.0.1:9000``, ``unix:/run/api.sock``."""
        if self.path is not None:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def named(self) -> bool:
        """Whether ``host`` is a name, which may stand for several addresses."""
        if self.path is not None:
            return False
        try:
            ip_address(self.host)
        except ValueError:
            return True
        return False

    def at(self, address: str) -> "Endpoint":
        """The same at one ``address`` of its name."""
        return replace(self, host=address)

    async def connect(self, loop: asyncio.AbstractEventLoop, make: Callable[[], _Made]) -> _Made:
        """Open a connection, handshake included. Raises ``OSError``, of which TLS's errors are a kind."""
        if self.path is not None:
            return (await loop.create_unix_connection(make, self.path))[1]
        if self.tls is None:
            return (await loop.create_connection(make, self.host, self.port))[1]
        _, made = await loop.create_connection(
            make,
            self.host,
            self.port,
            ssl=self.tls,
            server_hostname=self.server_name,
            ssl_shutdown_timeout=_SHUTDOWN_S,
        )
        return made
