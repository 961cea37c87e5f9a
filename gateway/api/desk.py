"""What handlers work with. A route that needs more adds a field here; ``gateway/own_routes.py`` fills it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.api.identity import Identity
from gateway.catalog.merge import Configured
from gateway.core.problems import NotFound
from gateway.metering.snapshot import Snapshot

if TYPE_CHECKING:  # a gateway without a store does not load SQLAlchemy
    from gateway.catalog.shop import Shop
    from gateway.store.store import Store


@dataclass(slots=True, kw_only=True)
class Desk:
    """``snapshot``, ``configured`` and ``identity``: as they are now. ``shop``: with the store."""

    snapshot: Callable[[], Snapshot]
    configured: Callable[[], Configured]
    identity: Callable[[], Identity]
    shop: "Shop | None" = None

    @property
    def store(self) -> "Store":
        """The store. Raises ``NotFound`` where there is none."""
        if self.shop is None:
            raise NotFound("This gateway has no billing database: `store` in its configuration names one.")
        return self.shop.store
