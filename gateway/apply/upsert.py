"""What a file changes in the store, and changing it: each object in a transaction of its own, nothing is removed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.api.plan_convert import told
from gateway.apply.wanted import Wanted, WantedPlan, WantedWeight, WrongFile
from gateway.billing.weights import Weights
from gateway.catalog.merge import Configured, check_weights
from gateway.core.problems import Problem, Unprocessable
from gateway.store import plans, prices
from gateway.store.edits import draft_of
from gateway.store.mandate import Mandate
from gateway.store.rows import PlanDraft, PlanRow, PriceDraft, PriceRow, WeightDraft, WeightRow
from gateway.store.store import Store
from gateway.store.weights import read_weights

_NOT_TERMS = {"id", "created_at", "updated_at", "version", "prices", "source", "shadowed", "slug"}
Values = Mapping[str, object]
Act = Callable[[Mandate], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Change:
    """One object. ``before`` empty: there is none yet. Both hold only what differs."""

    action: Literal["create", "update", "same"]
    kind: Literal["plan", "price", "weight"]
    name: str
    before: Values
    after: Values


@dataclass(frozen=True, slots=True)
class Step:
    """A change, and what makes it."""

    place: str
    change: Change
    act: Act


async def steps(store: Store, configured: Configured, wanted: Wanted) -> list[Step]:
    """What would change, in the order of the file. Raises ``WrongFile`` for what the store could not take."""
    async with store.read() as connection:
        rows = {row.slug: row for row in await plans.all_plans(connection)}
        weights = await read_weights(connection)
    problems = [
        f"{plan.place}: the configuration has a plan '{plan.draft.slug}'; choose another slug, or change it there"
        for plan in wanted.plans
        if plan.draft.slug in configured.plans and plan.draft.slug not in rows
    ]
    problems += [
        f"{plan.place}: the default plan cannot be inactive"
        for plan in wanted.plans
        if plan.draft.is_default and not plan.draft.active
    ]
    problems += _misweighed(configured, weights, wanted.weights)
    if problems:
        raise WrongFile(problems)
    found: list[Step] = []
    for plan in wanted.plans:
        found += _plan_steps(store, rows.get(plan.draft.slug), plan)
    kept = Weights(store, lambda: configured, lambda: configured.rules)
    found += [_weight_step(kept, weights, weight) for weight in wanted.weights]
    return found


async def apply(found: list[Step], by: Mandate) -> None:
    """Make the changes, one after the other. Raises ``WrongFile``: what was done before it stays, so run it again."""
    for step in found:
        if step.change.action == "same":
            continue
        try:
            await step.act(by)
        except Problem as problem:
            raise WrongFile([f"{step.place}: {problem.message}"]) from problem


def _plan_steps(store: Store, row: PlanRow | None, wanted: WantedPlan) -> list[Step]:
    draft = wanted.draft
    after = _shown_plan(draft)
    if row is None:
        made = Change("create", "plan", draft.slug, {}, after)
        new = [
            Change("create", "price", f"{draft.slug} {each.currency}", {}, _shown_price(each)) for each in wanted.prices
        ]

        async def create(by: Mandate) -> None:
            await plans.create(store, draft, by, prices=wanted.prices)

        return [Step(wanted.place, made, create), *(Step(wanted.place, each, _done) for each in new)]
    known, before = row, _shown_plan(draft_of(PlanDraft, row))

    async def update(by: Mandate) -> None:
        based = by._replace(if_revision=known.revision)
        await plans.update(store, known.id, lambda _old: draft, based, apply_to=wanted.apply_to)

    step = Step(wanted.place, _change("plan", draft.slug, before, after), update)
    return [step, *(_price_step(store, known, price, wanted.place) for price in wanted.prices)]


def _price_step(store: Store, plan: PlanRow, draft: PriceDraft, place: str) -> Step:
    name = f"{plan.slug} {draft.currency}"
    found: PriceRow | None = next((each for each in plan.prices if each.currency == draft.currency), None)
    if found is None:

        async def create(by: Mandate) -> None:
            await prices.create(store, plan.id, draft, by)

        return Step(place, Change("create", "price", name, {}, _shown_price(draft)), create)
    known = found

    async def update(by: Mandate) -> None:
        await prices.update(store, plan.id, known.id, lambda _old: draft, by)

    return Step(place, _change("price", name, _shown_price(known), _shown_price(draft)), update)


def _weight_step(kept: Weights, rows: tuple[WeightRow, ...], wanted: WantedWeight) -> Step:
    draft = wanted.draft
    name = f"{draft.method} {draft.pattern}"
    found = next((row for row in rows if (row.method, row.pattern) == (draft.method, draft.pattern)), None)
    if found is None:

        async def create(by: Mandate) -> None:
            await kept.create(draft, by)

        return Step(wanted.place, Change("create", "weight", name, {}, _shown_weight(draft)), create)
    known = found

    async def update(by: Mandate) -> None:
        await kept.update(known.id, lambda _old: draft, by._replace(if_revision=known.revision))

    return Step(wanted.place, _change("weight", name, _shown_weight(known), _shown_weight(draft)), update)


def _misweighed(configured: Configured, rows: tuple[WeightRow, ...], wanted: tuple[WantedWeight, ...]) -> list[str]:
    """Weights that could not count, judged with all others as they would be."""
    places: dict[str, str] = {}
    others = {(row.method, row.pattern): row for row in rows}
    for number, each in enumerate(wanted):
        key = each.draft.method, each.draft.pattern
        old = others.get(key)
        id_ = f"new {number}" if old is None else old.id
        places[id_] = each.place
        values = {name: getattr(each.draft, name) for name in ("method", "pattern", "weight", "description")}
        others[key] = WeightRow(**values, id=id_, revision=1, created_us=0, updated_us=0)
    try:
        check_weights(configured, list(others.values()))
    except Unprocessable as problem:
        said = (problem.content or {}).get("weights")
        wrong = said if isinstance(said, dict) else {}
        return [f"{places[id_]}: {reason}" for id_, reason in wrong.items() if id_ in places]
    return []


async def _done(_by: Mandate) -> None:
    """It was made with its plan."""


def _change(kind: Literal["plan", "price", "weight"], name: str, before: Values, after: Values) -> Change:
    names = [each for each in {**before, **after} if before.get(each) != after.get(each)]
    if not names:
        return Change("same", kind, name, {}, {})
    return Change("update", kind, name, {n: before.get(n) for n in names}, {n: after.get(n) for n in names})


def _shown_plan(draft: PlanDraft) -> dict[str, object]:
    """As the API shows it."""
    values = {name: getattr(draft, name) for name in PlanDraft.__slots__}
    row = PlanRow(**values, id="", version=1, prices=(), revision=1, created_us=0, updated_us=0)
    shown = told(row, prices=False).model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in shown.items() if name not in _NOT_TERMS}


def _shown_price(draft: PriceDraft) -> dict[str, object]:
    return {"price_cents": draft.amount, "is_default": draft.is_default}


def _shown_weight(draft: WeightDraft) -> dict[str, object]:
    shown = {"weight": draft.weight, "description": draft.description}
    return {name: value for name, value in shown.items() if value is not None}
