"""Plans and prices as Stripe's products and prices, under names of ours, so that pushing twice changes nothing.

A price of Stripe's cannot change: what costs something else, or lasts for another time, is a new one that takes over
the name (the lookup key), and the old one is archived. Those who have bought keep what they bought.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from gateway.payments.port import Drift, Gone, Item, ProviderError
from gateway.payments.stripe.amounts import to_stripe
from gateway.payments.stripe.client import Client, Json

_LONGEST_DAYS = 1095
"""Stripe renews after three years at the latest."""


def product_id(plan_id: str) -> str:
    """The id of a plan's product, chosen by us."""
    return f"gw_{plan_id}"


def plan_of_product(product: str) -> str | None:
    """The plan whose product this is; ``None``: it is none of ours."""
    plan_id = product.removeprefix(product_id(""))
    return plan_id if product_id(plan_id) == product and plan_id else None


def named_by_us(name: str, plan_id: str) -> bool:
    """Whether this is the id of the plan's product, or the name of a price of it."""
    return name == product_id(plan_id) or name.startswith(f"{product_id(plan_id)}_")


def lookup_key(item: Item) -> str:
    """The name of a price. One per plan, currency and way of buying."""
    return f"gw_{item.plan_id}_{item.currency}_{'renewed' if item.mode == 'subscription' else 'once'}"


async def price_of(client: Client, item: Item, app: str) -> str:
    """The id of the price for ``item``, made if it is not there. Raises ``ProviderError``."""
    found = await _by_key(client, [item])
    price = found.get(lookup_key(item))
    if price is not None and not _differences(price, item):
        return str(price["id"])
    await _ensure_product(client, item, app)
    made = await _make(client, item, app)
    if price is not None:
        await client.post(f"prices/{price['id']}", active=False)
    return made


async def push(client: Client, items: Sequence[Item], app: str, *, dry_run: bool) -> tuple[Drift, ...]:
    """Make products and prices what ``items`` say. Returns what was not, also what somebody edited at Stripe."""
    found: list[Drift] = []
    for item in {item.plan_id: item for item in items}.values():
        found += await _push_product(client, item, app, dry_run=dry_run)
    known = await _by_key(client, items)
    for item in items:
        price = known.get(lookup_key(item))
        problems = ["is not there"] if price is None else _differences(price, item)
        marks = [] if problems or price is None else _other_marks(price, _price_marks(item, app))
        found += [Drift(lookup_key(item), problem, mended=not dry_run) for problem in (*problems, *marks)]
        if problems and not dry_run:
            await price_of(client, item, app)
        if marks and price is not None and not dry_run:
            await client.post(f"prices/{price['id']}", metadata=_price_marks(item, app))
    return (*found, *await _archive_strangers(client, items, app, dry_run=dry_run))


async def _push_product(client: Client, item: Item, app: str, *, dry_run: bool) -> list[Drift]:
    name = product_id(item.plan_id)
    try:
        product: Json | None = await client.get(f"products/{name}")
    except Gone:
        product = None
    if product is None:
        if not dry_run:
            await _ensure_product(client, item, app)
        return [Drift(name, "is not there", mended=not dry_run)]
    problems, marks = [], _product_marks(item, app)
    if product["name"] != item.name:
        problems.append(f"is called {product['name']!r} and not {item.name!r}")
    described = (item.description or "").strip()
    if (product.get("description") or "").strip() != described:
        problems.append("is described in other words than here")
    if not product["active"]:
        problems.append("is archived")
    problems += _other_marks(product, marks)
    if problems and not dry_run:
        await client.post(f"products/{name}", name=item.name, description=described, active=True, metadata=marks)
    return [Drift(name, problem, mended=not dry_run) for problem in problems]


def _product_marks(item: Item, app: str) -> dict[str, str]:
    """What a product of ours says in its metadata; other keys are not ours."""
    return {"app": app, "plan_id": item.plan_id, "slug": item.slug}


def _price_marks(item: Item, app: str) -> dict[str, str]:
    return {"app": app, "plan_id": item.plan_id}


def _other_marks(of: Json, marks: Mapping[str, str]) -> list[str]:
    """What the metadata of something of ours do not say as we have written it, in sentences."""
    said = of.get("metadata") or {}
    return [
        f"says {name} {said.get(name)!r} in its metadata and not {mark!r}"
        for name, mark in marks.items()
        if said.get(name) != mark
    ]


async def _archive_strangers(client: Client, items: Sequence[Item], app: str, *, dry_run: bool) -> list[Drift]:
    """Prices under our mark that nothing of ours stands behind any more; others on our products are only told of."""
    wanted, found = {lookup_key(item) for item in items}, []
    products = {product_id(item.plan_id) for item in items}
    async for price in client.every("prices", active=True):
        if price.get("lookup_key") in wanted:
            continue
        if (price.get("metadata") or {}).get("app") != app:
            if price["product"] in products:
                found.append(Drift(price["id"], f"was put on {price['product']} by somebody else"))
            continue
        found.append(Drift(price.get("lookup_key") or price["id"], "is not sold any more", mended=not dry_run))
        if not dry_run:
            await client.post(f"prices/{price['id']}", active=False)
    return found


async def _ensure_product(client: Client, item: Item, app: str) -> None:
    """A product is named by us, and so is made once, whatever key it is asked for under."""
    said: dict[str, Any] = {"name": item.name, "metadata": _product_marks(item, app)}
    if item.description:
        said["description"] = item.description
    name = product_id(item.plan_id)
    try:
        found = await client.get(f"products/{name}")
    except Gone:
        try:
            await client.post("products", id=name, **said)
        except ProviderError as error:
            if error.code != "resource_already_exists":
                raise
    else:
        if not found["active"]:
            await client.post(f"products/{name}", active=True)


async def _make(client: Client, item: Item, app: str) -> str:
    said: dict[str, Any] = {
        "product": product_id(item.plan_id),
        "currency": item.currency,
        "unit_amount": _sent(item),
        "lookup_key": lookup_key(item),
        "transfer_lookup_key": True,
        "metadata": _price_marks(item, app),
    }
    if item.mode == "subscription":
        said["recurring"] = recurring(item.days)
    made = await client.post("prices", key=await _key(client, said), **said)
    return str(made["id"])


async def _key(client: Client, said: Mapping[str, Any]) -> str:
    """The same for the same price in the same place, and another one once that is archived and wanted again."""
    newest = await client.get("prices", product=said["product"], limit=1)
    before = [price["id"] for price in newest["data"]]
    text = orjson.dumps([said, before], option=orjson.OPT_SORT_KEYS)
    return f"price-{blake2b(text, digest_size=16).hexdigest()}"


def check(item: Item) -> None:
    """Raises ``ProviderError`` for what Stripe cannot charge."""
    _sent(item)
    if item.mode == "subscription":
        recurring(item.days)


def recurring(days: int) -> dict[str, Any]:
    """How often. Days are the only exact unit; years only beyond what days can say."""
    if days <= _LONGEST_DAYS:
        return {"interval": "day", "interval_count": days}
    raise ProviderError("Stripe renews every three years at most: sell this plan once instead.", code="too_long")


def _sent(item: Item) -> int:
    try:
        return to_stripe(item.amount, item.currency)
    except ValueError as error:
        raise ProviderError(f"{error}; this plan costs {item.amount}.", code="amount") from None


async def _by_key(client: Client, items: Sequence[Item]) -> Mapping[str, Json]:
    """The active prices under the names of these items. Stripe takes ten names at a time."""
    keys, found = sorted({lookup_key(item) for item in items}), {}
    for start in range(0, len(keys), 10):
        async for price in client.every("prices", lookup_keys=keys[start : start + 10], active=True):
            found[str(price["lookup_key"])] = price
    return found


def _differences(price: Json, item: Item) -> list[str]:
    """What is not as ``item`` says, in sentences."""
    found = []
    if price["unit_amount"] != _sent(item) or price["currency"] != item.currency:
        found.append(f"costs {price['unit_amount']} {price['currency']} and not {_sent(item)} {item.currency}")
    wanted = recurring(item.days) if item.mode == "subscription" else None
    has = price.get("recurring")
    if (has is None) != (wanted is None):
        found.append("is bought in another way")
    elif has is not None and wanted is not None and any(has[name] != value for name, value in wanted.items()):
        found.append(f"renews every {has['interval_count']} {has['interval']} and not every {item.days} days")
    if str(price["product"]) != product_id(item.plan_id):
        found.append("belongs to another product")
    return found
