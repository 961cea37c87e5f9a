"""Plans, people and times that the store's tests share."""

from typing import Any

from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.core.scope import Scope
from gateway.core.subscription import PlanVersion, Status
from gateway.store.mandate import Actor, Mandate
from gateway.store.rows import PlanDraft, PlanRow, SubscriptionDraft, Terms

NOW = 1_700_000_000_000_000
DAY = 86_400_000_000
ADMIN = Actor("admin", "root", "192.0.2.1", "request-1")
BY = Mandate(ADMIN, NOW)
ALICE = Scope("user", "a1a1a1a1-0000-4000-8000-000000000001")
ACME = Scope("workspace", "c0c0c0c0-0000-4000-8000-000000000002")


def terms(amount: int = 5000, *, days: int = 30) -> Terms:
    return Terms((PlanLimit(THROUGHPUT, amount, 60_000_000),), days)


def pro(**changes: Any) -> PlanDraft:
    return PlanDraft(**{"slug": "pro", "name": "Pro", "terms": terms(), **changes})


def bought(plan: PlanRow | str, scope: Scope = ALICE, **changes: Any) -> SubscriptionDraft:
    """An active subscription that Alice paid for, from now on for 30 days."""
    of = plan if isinstance(plan, str) else PlanVersion(plan.id, plan.version)
    given: dict[str, Any] = {"plan": of, "scope": scope, "user_id": ALICE.id, "status": Status.ACTIVE, "starts_us": NOW}
    return SubscriptionDraft(**{**given, "ends_us": NOW + 30 * DAY, **changes})
