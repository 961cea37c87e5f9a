"""Plans and their prices: seen by everybody who may buy them, changed by admins."""

from dataclasses import replace
from typing import Literal

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import AskedFlag, ById, SearchText
from gateway.api.lists import ListQuery
from gateway.api.plan_convert import draft_of, edit_of, price_draft, told, told_price
from gateway.api.plan_models import CreatePlan, CreatePrice, Plan, PlanPrice, UpdatePlan, UpdatePrice
from gateway.api.reply import GONE, Reply, created
from gateway.api.route import Who, route
from gateway.billing.plans import READ_ONLY, Offer, Plans, Wanted
from gateway.core.problems import Conflict, NotFound
from gateway.core.scope import canonical_uuid
from gateway.store import prices
from gateway.store.rows import PriceDraft


class PlanQuery(ListQuery):
    """Which plans. ``text``: in slug or name."""

    active: AskedFlag | None = None
    text: SearchText | None = None
    source: Literal["database", "file"] | None = None


async def list_plans(call: Call, desk: Desk) -> Reply:
    """The plans: customers see those that they can buy or have by default, admins all."""
    query = call.query(PlanQuery)
    wanted = Wanted(
        active=query.active,
        text=query.text,
        source=query.source,
        for_customers=not await call.caller.is_admin(),
    )
    return Reply([_told(desk, each) for each in await _plans(desk).page(query.listing, wanted)])


async def get_plan(call: Call, desk: Desk) -> Reply:
    """One plan."""
    found = await _plans(desk).get(_id(call, "plan_id"), for_customers=not await call.caller.is_admin())
    return Reply(_told(desk, found), revision=getattr(found, "revision", 0))


async def create_plan(call: Call, desk: Desk) -> Reply:
    """Add a plan, with its prices."""
    said = call.body(CreatePlan)
    plan = await _plans(desk).create(draft_of(said), [price_draft(price) for price in said.prices], call.mandate)
    return created(_told(desk, plan), plan.revision)


async def update_plan(call: Call, desk: Desk) -> Reply:
    """Change a plan; new terms are a new version, for everybody who has it or for new buyers."""
    said = call.body(UpdatePlan)
    plan = await _plans(desk).update(call.query(ById).id, edit_of(said), call.mandate, said.apply_to)
    return Reply(_told(desk, plan), revision=plan.revision)


async def delete_plan(call: Call, desk: Desk) -> Reply:
    """Remove a plan that nobody has or had."""
    await _plans(desk).delete(call.query(ById).id, call.mandate)
    return GONE


async def list_prices(call: Call, desk: Desk) -> Reply:
    """The prices of a plan, one per currency."""
    plan_id, query = await _seen_plan(call, desk), call.query(ListQuery)
    if _plans(desk).in_file(plan_id):
        return Reply([])
    return Reply([told_price(price) for price in await prices.page(desk.store, plan_id, query.listing)])


async def get_price(call: Call, desk: Desk) -> Reply:
    """One price of a plan."""
    plan_id = await _seen_plan(call, desk)
    price = await prices.get(desk.store, plan_id, _id(call, "price_id"))
    return Reply(told_price(price), revision=price.revision)


async def create_price(call: Call, desk: Desk) -> Reply:
    """Add a price; a default one takes the place of the former."""
    plan_id = _own_plan(call, desk)
    price = await prices.create(desk.store, plan_id, price_draft(call.body(CreatePrice)), call.mandate)
    return created(told_price(price), price.revision)


async def update_price(call: Call, desk: Desk) -> Reply:
    """Change a price; its currency stays."""
    said = call.body(UpdatePrice)

    def edit(old: PriceDraft) -> PriceDraft:
        amount = old.amount if said.price_cents is None else said.price_cents
        default = old.is_default if said.is_default is None else said.is_default
        return replace(old, currency=said.currency or old.currency, amount=amount, is_default=default)

    price = await prices.update(desk.store, _own_plan(call, desk), call.query(ById).id, edit, call.mandate)
    return Reply(told_price(price), revision=price.revision)


async def delete_price(call: Call, desk: Desk) -> Reply:
    """Remove a price."""
    await prices.delete(desk.store, _own_plan(call, desk), call.query(ById).id, call.mandate)
    return GONE


def _told(desk: Desk, offer: Offer) -> Plan:
    """A plan, and whether being the default does anything."""
    shown = told(offer)
    if shown.source == "file" or not shown.is_default or "user" in desk.configured().silent:
        return shown
    return shown.model_copy(update={"effective_default": False})


def _plans(desk: Desk) -> Plans:
    store = desk.store
    return Plans(store, desk.configured, lambda slug: desk.shop is not None and slug in desk.shop.stock.plans)


async def _seen_plan(call: Call, desk: Desk) -> str:
    """The plan of the path, if the caller may see it."""
    plan = await _plans(desk).get(_id(call, "plan_id"), for_customers=not await call.caller.is_admin())
    return plan.id


def _own_plan(call: Call, desk: Desk) -> str:
    """The plan of the path, if it is the store's."""
    plan_id = _id(call, "plan_id")
    if _plans(desk).in_file(plan_id):
        raise Conflict(READ_ONLY)
    return plan_id


def _id(call: Call, name: str) -> str:
    found = canonical_uuid(call.params[name])
    if found is None:
        raise NotFound("There is no such plan or price: its id is a UUID.")
    return found


ROUTES = (
    route("GET", "/plan", list_plans, who=Who.USER, asks=PlanQuery, tells=Plan, lists=True),
    route("GET", "/plan/{plan_id}", get_plan, who=Who.USER, tells=Plan),
    route("POST", "/plan", create_plan, who=Who.ADMIN, takes=CreatePlan, tells=Plan, status=201),
    route("PUT", "/plan", update_plan, who=Who.ADMIN, asks=ById, takes=UpdatePlan, tells=Plan),
    route("DELETE", "/plan", delete_plan, who=Who.ADMIN, asks=ById, status=204),
    route("GET", "/plan/{plan_id}/price", list_prices, who=Who.USER, asks=ListQuery, tells=PlanPrice, lists=True),
    route("GET", "/plan/{plan_id}/price/{price_id}", get_price, who=Who.USER, tells=PlanPrice),
    route("POST", "/plan/{plan_id}/price", create_price, who=Who.ADMIN, takes=CreatePrice, tells=PlanPrice, status=201),
    route("PUT", "/plan/{plan_id}/price", update_price, who=Who.ADMIN, asks=ById, takes=UpdatePrice, tells=PlanPrice),
    route("DELETE", "/plan/{plan_id}/price", delete_price, who=Who.ADMIN, asks=ById, status=204),
)
