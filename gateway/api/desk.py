"""What handlers work with. A route that needs more adds a field here; ``gateway/own_routes.py`` fills it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from gateway.api.gate import Gate
from gateway.api.identity import Identity
from gateway.api.pace import Pace
from gateway.catalog.merge import Configured
from gateway.core.problems import NotFound
from gateway.identity.api_keys import ApiKey
from gateway.identity.name_probe import NameProbe
from gateway.journal.history import History
from gateway.ledger.port import Ledger
from gateway.metering.snapshot import Snapshot

if TYPE_CHECKING:  # a gateway without a store does not load SQLAlchemy
    from gateway.api.route import Route
    from gateway.billing.sales import Sales
    from gateway.billing.subscriptions import Tell
    from gateway.billing.sync import Syncer
    from gateway.catalog.shop import Shop
    from gateway.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What pages are told of the configuration. ``upstream_login``: the upstream takes names and passwords."""

    api_prefix: str
    admin_prefix: str
    workspace_header: str | None
    upstream_login: bool
    providers: tuple[str, ...] = ()
    demo_payments: bool = False


class Configuration(NamedTuple):
    """What is running. ``settings``: key, value as JSON can hold it, and where it was written; no secrets."""

    settings: Sequence[tuple[str, object, str]]
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(slots=True, kw_only=True)
class Desk:
    """What is a function tells what it is now: a reload changes it. ``shop``: with the store.

    ``file_keys``: the configuration's API keys. ``parts``: how each part of the gateway is, in words. ``history``
    ``None``: nothing is kept of what was used. ``tell``: how a payment provider hears of customers' acts. ``sales`` and
    ``syncer``: where something is sold.
    """

    snapshot: Callable[[], Snapshot]
    configured: Callable[[], Configured]
    identity: Callable[[], Identity]
    facts: Callable[[], Facts]
    configuration: Callable[[], Configuration]
    names: Callable[[], NameProbe | None]
    gate: Gate
    pace: Pace
    ledger: Ledger
    parts: Callable[[], Mapping[str, str]]
    file_keys: Callable[[], Sequence[ApiKey]] = tuple
    routes: "Callable[[], tuple[Route, ...]]" = tuple
    history: History | None = None
    shop: "Shop | None" = None
    tell: "Tell | None" = None
    sales: "Sales | None" = None
    syncer: "Syncer | None" = None

    @property
    def store(self) -> "Store":
        """The store. Raises ``NotFound`` where there is none."""
        if self.shop is None:
            raise NotFound("This gateway has no billing database: `store` in its configuration names one.")
        return self.shop.store
