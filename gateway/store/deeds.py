"""What somebody did that changed no row of the catalog, for the audit log: a login, a sync, a replay, a portal."""

from dataclasses import dataclass

from gateway.core.scope import Scope
from gateway.store.mandate import Mandate
from gateway.store.store import Store


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Somebody said a password. ``good``: it was the admin's."""

    good: bool


@dataclass(frozen=True, slots=True)
class SyncAsked:
    """Somebody wants a sync now."""

    full: bool
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ReplayAsked:
    """Somebody wants a signal acted on again. ``state`` and ``attempts``: as they were."""

    kind: str
    state: str
    attempts: int


@dataclass(frozen=True, slots=True)
class PortalOpened:
    """Somebody was sent to the provider's page for cards and invoices."""

    provider: str


@dataclass(frozen=True, slots=True)
class AccountMoved:
    """From now on the gateway sells through another account of the provider's. What was sold stays with the first."""

    before: str | None
    after: str


Deed = LoggedIn | SyncAsked | ReplayAsked | PortalOpened | AccountMoved


async def note(
    store: Store, action: str, object_id: str, deed: Deed, by: Mandate, *, scope: Scope | None = None
) -> None:
    """Write it down, before it is done: also what then fails was asked for. Raises ``StoreUnavailable``."""
    async with store.write(by) as act:
        act.note(action, object_id, None, deed, scope=scope)
