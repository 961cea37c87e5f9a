"""What a gateway with a billing database can sell, for tests that look at the whole."""

from dataclasses import replace
from typing import Any

from gateway.clock import now_us
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.core.scope import Scope
from gateway.core.subscription import PlanVersion, Status
from gateway.demo.data import ALICE
from gateway.store import plans
from gateway.store.mandate import Actor, Mandate
from gateway.store.rows import PlanDraft, PlanRow, SubscriptionDraft, Terms
from gateway.store.store import Store
from tests.e2e.world import World

HOUR = 3_600_000_000
DAY = 24 * HOUR
CONFIG = """\
store: "{url}"
workspace: {{membership: trust_clients}}
defaults: {{user: free, workspace: null}}
plans:
  - {{slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}}
  - {{slug: team, name: Team, throughput_limit: 50, window_seconds: 3600}}
rules:
  - {{method: POST, path: /message/whatsapp, weight: 2, pays: [user]}}
"""
ME = Scope("user", ALICE.id)


def by() -> Mandate:
    return Mandate(Actor("admin", "root"), now_us())


def store_of(here: World) -> Store:
    shop = here.gateway.stocked.shop
    assert shop is not None
    return shop.store


def draft(slug: str = "pro", amount: int = 100, window_us: int = HOUR) -> PlanDraft:
    return PlanDraft(slug=slug, name=slug.title(), terms=Terms((PlanLimit(THROUGHPUT, amount, window_us),), 30))


def sold(plan: PlanRow | str, scope: Scope = ME, **changes: Any) -> SubscriptionDraft:
    of = plan if isinstance(plan, str) else PlanVersion(plan.id, plan.version)
    buyer = scope.id if scope.kind == "user" else ALICE.id
    given = {"plan": of, "scope": scope, "user_id": buyer, "status": Status.ACTIVE, "starts_us": now_us() - DAY}
    return SubscriptionDraft(**{**given, "ends_us": now_us() + 30 * DAY, **changes})


def edited(amount: int, window_us: int = HOUR) -> plans.Edit:
    return lambda old: replace(old, terms=draft(amount=amount, window_us=window_us).terms)


async def left(here: World, user: Any = ALICE, **more: Any) -> tuple[str, str]:
    """Send a request of one unit; the limit and what is left of it."""
    answer = await here.ask("/contact" if "workspace" in more else "/user/me", user, **more)
    assert answer.status in (200, 429), await answer.text()
    return answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]
