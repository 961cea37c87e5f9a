"""What a connection to the upstream tells whoever keeps it."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.proxy.upstream import UpstreamConnection


class Keeper(Protocol):
    """Who keeps connections between exchanges. ``failing``: whether the last thing it heard was ``failed``."""

    read_timeout: float
    total_timeout: float
    failing: bool

    def keep(self, connection: "UpstreamConnection") -> None:
        """The connection is free again."""

    def drop(self, connection: "UpstreamConnection") -> None:
        """The connection is gone."""

    def failed(self, why: str) -> None:
        """An exchange failed, and not because the connection had been kept for too long."""

    def answered(self) -> None:
        """An exchange went well. Said while ``failing``."""
