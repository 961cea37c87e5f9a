"""The running configuration as the handler sees it: swapped whole on reload, kept by each request to its end."""

from dataclasses import dataclass

from gateway.identity.authenticate import Authenticator
from gateway.identity.membership import Membership
from gateway.metering.snapshot import Snapshot
from gateway.proxy.request_head import Route


@dataclass(frozen=True, slots=True)
class Running:
    """Rules and budgets, who is asking, and where it goes. Identity's caches outlive a reload that leaves it alone."""

    snapshot: Snapshot
    authenticator: Authenticator
    membership: Membership
    route: Route


class Live:
    """The one mutable reference to what is running."""

    __slots__ = ("running",)

    def __init__(self, running: Running) -> None:
        self.running = running
