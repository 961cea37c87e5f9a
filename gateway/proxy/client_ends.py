"""Who may be at the other end of a client's connection."""

from typing import Protocol


class TunnelEnd(Protocol):
    """Who has a connection's bytes after 101."""

    def from_client(self, data: bytes) -> None:
        """Bytes from the client."""

    def client_eof(self) -> bool:
        """The client sends no more; whether to keep its connection open."""

    def client_writable(self) -> None:
        """The client has taken what was written."""

    def client_lost(self) -> None:
        """The client's connection is gone."""


class Current(Protocol):
    """The request that is being answered. ``complete``: all of it has come."""

    @property
    def complete(self) -> bool: ...  # noqa: D102

    def lose_client(self) -> None:
        """The client has left."""

    def writable(self) -> None:
        """The client takes more of the answer."""
