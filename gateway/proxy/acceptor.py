"""Accepting connections: many in one turn of the loop, and with or without a load balancer's header in front.

uvloop's own servers accept one connection a turn. While a thousand clients keep the loop busy a turn takes long, so
that new ones would wait for seconds, and beyond the length of the queue be reset.

The header is read from the bare socket, to its last byte and not further, so that TLS begins where the client's
own first byte is.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from gateway.proxy.client_connection import ClientConnection
from gateway.proxy.proxy_protocol import BadPreamble, read_preamble
from gateway.tasks import Tasks

_log = structlog.get_logger(__name__)
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE_S = 1.0
_FINISH_S = 1.0
_AT_ONCE, _AT_ONCE_OF_SEVERAL = 64, 8


class Balancers(Protocol):
    """Networks of load balancers."""

    def __contains__(self, peer_ip: str) -> bool:
        """Whether the address is in one of them."""
        ...


class Acceptor:
    """Accepts on listening ``sockets`` from its making on, and gives each connection a protocol of ``make``.

    ``balancers``: the networks whose connections must begin with a header; those of others are plain. On a Unix socket
    everybody must: its file mode says who may connect. ``None``: nobody must. ``patience_s``: for the header, and again
    for the handshake. ``several``: other processes accept on these sockets as well, and shall have their share.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        make: Callable[[], ClientConnection],
        balancers: Balancers | None,
        tls: ssl.SSLContext | None,
        patience_s: float,
        *,
        several: bool = False,
    ) -> None:
        self.sockets = tuple(sockets)
        self._make = make
        self._balancers = balancers
        self._tls = tls
        self._patience_s = patience_s
        self._at_once = _AT_ONCE_OF_SEVERAL if several else _AT_ONCE
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks()
        for bound in self.sockets:
            self._loop.add_reader(bound, self._accept, bound)

    async def close(self) -> None:
        """Accept no more; connections that are just saying who they are may finish that."""
        for bound in self.sockets:
            self._loop.remove_reader(bound)
            bound.close()
        self.sockets = ()
        await self._tasks.finish(_FINISH_S)

    def _accept(self, bound: socket.socket) -> None:
        for _ in range(self._at_once):
            try:
                connected, address = bound.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _FULL:
                    _log.error("connections cannot be accepted", reason=error.strerror)
                    self._loop.remove_reader(bound)
                    self._loop.call_later(_PAUSE_S, self._resume, bound)
                return
            connected.setblocking(False)
            peer = str(address[0]).partition("%")[0] if isinstance(address, tuple) else ""
            self._tasks.start(self._welcome(connected, peer), "welcome a connection")

    def _resume(self, bound: socket.socket) -> None:
        if bound in self.sockets:
            self._loop.add_reader(bound, self._accept, bound)

    async def _welcome(self, connected: socket.socket, peer: str) -> None:
        """Hand the connection to a protocol that knows whose it is."""
        protocol = self._make()
        try:
            if peer:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._balancers is not None and (not peer or peer in self._balancers):
                async with asyncio.timeout(self._patience_s):
                    protocol.announced = await read_preamble(lambda size: self._exactly(connected, size))
            timeout = None if self._tls is None else self._patience_s
            await self._loop.connect_accepted_socket(
                lambda: protocol, connected, ssl=self._tls, ssl_handshake_timeout=timeout
            )
        except BadPreamble as bad:
            _log.warning("a connection was refused", peer=peer or "unix", reason=f"it begins with {bad}")
            connected.close()
        except TimeoutError:
            _log.warning("a connection was refused", peer=peer or "unix", reason="no PROXY protocol header in time")
            connected.close()
        except (EOFError, OSError):  # it has left, or knows no TLS
            connected.close()
        except asyncio.CancelledError:
            connected.close()
            raise

    async def _exactly(self, connected: socket.socket, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = await self._loop.sock_recv(connected, size - len(data))
            if not part:
                if data:
                    raise BadPreamble("half a PROXY protocol header")
                raise EOFError
            data += part
        return data
