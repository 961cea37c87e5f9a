"""Plans as admins and customers see them: the store's, which can be edited, and the configuration's, which cannot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.billing import both
from gateway.catalog.merge import Configured
from gateway.core.plan import Plan
from gateway.core.problems import Conflict, NotFound
from gateway.store import plans
from gateway.store.listing import Listing
from gateway.store.mandate import Mandate
from gateway.store.plans import ApplyTo, Edit
from gateway.store.rows import PlanDraft, PlanRow, PriceDraft
from gateway.store.store import Store

READ_ONLY = "This plan is part of the configuration. Change it there."


@dataclass(frozen=True, slots=True)
class FilePlan:
    """A plan of the configuration. ``shadowed``: the store has one of this slug, which counts instead.

    ``is_default``: for users; ``is_custom``: for nobody who has not been given it.
    """

    id: str
    plan: Plan
    is_default: bool
    is_custom: bool
    shadowed: bool = False


Offer = PlanRow | FilePlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which plans; ``None``: any. ``text``: in slug or name. ``for_customers``: what everybody may see."""

    active: bool | None = None
    text: str | None = None
    source: str | None = None
    for_customers: bool = False


class Plans:
    """The plans. ``configured``: what the configuration says now."""

    def __init__(self, store: Store, configured: Callable[[], Configured], stocked: Callable[[str], bool]) -> None:
        self._store = store
        self._configured = configured
        self._stocked = stocked

    async def page(self, listing: Listing, wanted: Wanted) -> list[Offer]:
        """A page of them. Those of the configuration count as the oldest."""
        if wanted.for_customers and wanted.active is False:
            return []
        of_file: Sequence[Offer] = [each for each in self.of_file() if _is_wanted(each, wanted)]
        if wanted.source == "file":
            return await both.page(listing, of_file, _nothing, _none)
        active = True if wanted.for_customers else wanted.active
        custom = False if wanted.for_customers else None

        async def fetch(part: Listing) -> Sequence[Offer]:
            return await plans.page(self._store, part, active=active, custom=custom, text=wanted.text)

        async def count() -> int:
            return await plans.count(self._store, listing, active=active, custom=custom, text=wanted.text)

        return await both.page(listing, [] if wanted.source == "database" else of_file, fetch, count)

    async def get(self, id_: str, *, for_customers: bool) -> Offer:
        """A plan. Raises ``NotFound``, also for what customers do not see."""
        found: Offer | None = self._in_file(id_)
        if found is None:
            found = await plans.get(self._store, id_)
        hidden = found.is_custom or (isinstance(found, PlanRow) and not found.active)
        if for_customers and hidden:
            raise NotFound("There is no such plan.")
        return found

    async def create(self, draft: PlanDraft, prices: Sequence[PriceDraft], by: Mandate) -> PlanRow:
        """Add one with its prices. Raises as ``store.plans.create``."""
        return await plans.create(self._store, draft, by, prices=prices, reserved=self._configured().plans)

    async def update(self, id_: str, edit: Edit, by: Mandate, apply_to: ApplyTo) -> PlanRow:
        """Change one. Raises as ``store.plans.update``, ``Conflict`` for one of the configuration."""
        self._check_editable(id_)
        return await plans.update(self._store, id_, edit, by, apply_to=apply_to, reserved=self._configured().plans)

    async def delete(self, id_: str, by: Mandate) -> None:
        """Remove one. Raises as ``store.plans.delete``, ``Conflict`` for one of the configuration."""
        self._check_editable(id_)
        await plans.delete(self._store, id_, by, reserved=self._configured().plans)

    def in_file(self, id_: str) -> bool:
        """Whether a plan is the configuration's: it has no prices."""
        return self._in_file(id_) is not None

    def _check_editable(self, id_: str) -> None:
        if self.in_file(id_):
            raise Conflict(READ_ONLY)

    def _in_file(self, id_: str) -> FilePlan | None:
        return next((each for each in self.of_file() if each.id == id_), None)

    def of_file(self) -> list[FilePlan]:
        """Those of the configuration."""
        configured = self._configured()
        given = {plan.slug for plan in configured.defaults.values() if plan is not None}
        user = configured.defaults.get("user")
        return [
            FilePlan(
                file_plan_id(slug),
                plan,
                is_default=user is not None and user.slug == slug,
                is_custom=slug not in given,
                shadowed=self._stocked(slug),
            )
            for slug, plan in sorted(configured.plans.items())
        ]


def file_plan_id(slug: str) -> str:
    """The id of a plan of the configuration."""
    return both.id_in_file("plan", slug)


def _is_wanted(each: FilePlan, wanted: Wanted) -> bool:
    text = (wanted.text or "").casefold()
    return (
        wanted.active is not False
        and not (wanted.for_customers and (each.is_custom or each.shadowed))
        and (text in each.plan.slug.casefold() or text in each.plan.name.casefold())
    )


async def _nothing(_listing: Listing) -> Sequence[Offer]:
    return ()


async def _none() -> int:
    return 0
