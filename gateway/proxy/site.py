"""One place to listen: an address or a Unix socket, plain or with TLS, with or without the PROXY protocol."""

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from gateway.proxy.acceptor import Acceptor, Balancers
from gateway.proxy.gateway_server import GatewayServer

_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where: ``host`` and ``port`` (0: any free one), or the Unix socket ``path``, which gets the file mode ``mode``.

    ``inherited``: descriptors of sockets that somebody else has bound there, and will remove.
    ``tls``: ``None`` is plain text. ``balancers``: the networks of load balancers that speak the PROXY protocol (see
    ``Acceptor``); ``None``: nobody does.
    """

    host: str = ""
    port: int = 0
    path: str | None = None
    mode: int = 0o660
    tls: ssl.SSLContext | None = None
    balancers: Balancers | None = None
    inherited: tuple[int, ...] = ()

    def __str__(self) -> str:
        return shown(self.path if self.path is not None else (self.host, self.port))


def shown(address: str | tuple[object, ...]) -> str:
    """An address as people write it: ``127.0.0.1:8080``, ``[::1]:8080``, ``unix:/run/gateway.sock``."""
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = str(address[0]), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Site:
    """``server`` listening at ``place``. ``patience_s``: for a TLS handshake and for a PROXY protocol header."""

    def __init__(self, server: GatewayServer, place: Place, patience_s: float) -> None:
        self._server = server
        self._place = place
        self._patience_s = patience_s
        self._acceptor: Acceptor | None = None
        self._file: tuple[int, int] | None = None
        self._addresses: list[str] = []

    @property
    def urls(self) -> list[str]:
        """Where it listens."""
        if self._place.path is not None:
            return self._addresses
        scheme = "http" if self._place.tls is None else "https"
        return [f"{scheme}://{address}" for address in self._addresses]

    async def start(self) -> None:
        """Listen. Raises ``OSError`` with a reason in ``strerror``."""
        place = self._place
        sockets = await bound_sockets(place)
        if place.path is not None and not place.inherited:
            self._file = _identity(Path(place.path))
        self._addresses = [shown(bound.getsockname()) for bound in sockets]
        for bound in sockets:
            bound.listen(_BACKLOG)
        several = bool(place.inherited)
        self._acceptor = Acceptor(sockets, self._server, place.balancers, place.tls, self._patience_s, several=several)

    async def stop(self) -> None:
        """Accept no more. A Unix socket's file goes, unless somebody else's is there by now."""
        if self._acceptor is not None:
            await self._acceptor.close()
        if self._place.path is not None and not self._place.inherited:
            _remove(Path(self._place.path), self._file)


async def bound_sockets(place: Place) -> list[socket.socket]:
    """Sockets that are bound there; those that were inherited, each as a descriptor of our own. Raises ``OSError``."""
    if place.inherited:
        sockets = [socket.socket(fileno=os.dup(number)) for number in place.inherited]
        for bound in sockets:
            bound.setblocking(False)
        return sockets
    return await _tcp_sockets(place.host, place.port) if place.path is None else [_unix_socket(place)]


async def _tcp_sockets(host: str, port: int) -> list[socket.socket]:
    """Bound to every address that ``host`` has."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            bound = socket.socket(family, kind, protocol)
            sockets.append(bound)
            bound.setblocking(False)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind(address)
    except OSError:
        for bound in sockets:
            bound.close()
        raise
    return sockets


def _unix_socket(place: Place) -> socket.socket:
    """Bound to ``place.path``. Nobody can connect before the mode is set, because nobody listens yet."""
    path = Path(place.path or "")
    _make_way(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound.setblocking(False)
    try:
        bound.bind(str(path))
        path.chmod(place.mode)
    except OSError:
        bound.close()
        raise
    return bound


def _make_way(path: Path) -> None:
    """Remove what a killed gateway left, and nothing else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "a file is there that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # somebody listens, and is busy
    raise OSError(errno.EADDRINUSE, "another process listens there")


def _remove(path: Path, ours: tuple[int, int] | None) -> None:
    with contextlib.suppress(OSError):
        if _identity(path) == ours:
            path.unlink()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
