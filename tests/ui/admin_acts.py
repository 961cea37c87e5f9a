"""What an admin does that leads to each request: where, what is opened and typed there, and what is pressed then."""

import re
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, NamedTuple

from playwright.async_api import Locator, Page

from gateway.demo.data import DAVE
from tests.ui.site import Site

numbers = count(1)


class Act(NamedTuple):
    """What leads to a request: a view, what is opened and typed there, and what is pressed then."""

    view: str
    prepare: Callable[[Page, str], Awaitable[None]]
    press: Callable[[Page, str], Locator]


def _made(site: Site, path: str, body: object) -> Any:
    """What an admin has made; it is not refused."""
    answer = site.call(path, "su", method="POST", body=body)
    assert not isinstance(answer, int), f"{path}: {answer}"
    return answer


def seed(site: Site) -> str:
    """One plan with a price, weight, key and subscription that have the same name, which is returned."""
    name = f"Unlucky {next(numbers)}"
    slug = name.lower().replace(" ", "-")
    plan = {"name": name, "slug": slug, "throughput_limit": 5, "window_seconds": 60, "duration_days": 30}
    made = _made(site, "/billing/plan", {**plan, "prices": [{"currency": "usd", "price_cents": 9}]})
    for method, weight in (("GET", 3), ("ANY", 1)):  # the one wins, the other loses
        rule = {"method": method, "path_pattern": f"/{slug}", "weight": weight}
        _made(site, "/billing/endpoint-weight", rule)
    _made(site, "/billing/api-key", {"name": name, "user_id": DAVE.id})
    gift = {"plan_id": made["id"], "scope": "user", "user_id": DAVE.id, "expires_at": "2031-01-01T00:00:00Z"}
    _made(site, "/billing/subscription/manual", gift)
    other = {**plan, "name": f"{name} free", "slug": f"{slug}-free"}  # one that nobody has can be deleted
    _made(site, "/billing/plan", other)
    return name


def opens(button: str, **typed: str) -> Callable[[Page, str], Awaitable[None]]:
    """Press a button, and fill what opens. ``{name}`` and ``{slug}`` are those of ``seed``."""

    async def prepare(page: Page, name: str) -> None:
        slug = name.lower().replace(" ", "-")
        label = button.format(name=name, slug=slug)
        await page.get_by_role("button", name=label, exact=True).first.click()
        for field, value in typed.items():
            box = page.get_by_role("dialog").get_by_label(field.replace("_", " "), exact=True)
            await box.fill(value.format(name=name, slug=f"{slug}-new"))

    return prepare


async def nothing(_page: Page, _name: str) -> None:
    return


async def manages(page: Page, name: str) -> None:
    await page.get_by_role("button", name=f"Manage: {name}", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Changed limit").fill("55")
    await dialog.get_by_label("New end").fill("2032-02-02T00:00")


async def ends(page: Page, name: str) -> None:
    await manages(page, name)
    await page.get_by_role("dialog").get_by_role("button", name="End it now").click()


async def gives(page: Page, name: str) -> None:
    await page.get_by_role("button", name="Give subscription").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Plan").select_option(name)
    await form.get_by_role("searchbox", name="User").fill(DAVE.id)
    await form.get_by_role("group", name="Found: User").get_by_role("button").first.click()
    await form.get_by_label("Changed limit").fill("7")


async def makes_key(page: Page, name: str) -> None:
    await opens("New key", Name="{name} two", User=DAVE.id)(page, name)
    await page.get_by_role("group", name="Found: User").get_by_role("button").first.click()


async def tries(page: Page, _name: str) -> None:
    await page.get_by_role("region", name="Try a path").get_by_label("Path").fill("/contact")


def in_dialog(button: str) -> Callable[[Page, str], Locator]:
    """A button in the topmost dialog."""
    return lambda page, _name: page.get_by_role("dialog").last.get_by_role("button", name=button, exact=True)


def on_page(button: str) -> Callable[[Page, str], Locator]:
    """A button of the view, the first of its name."""
    return lambda page, _name: page.get_by_role("main").get_by_role("button", name=re.compile(button)).first


edits_plan = opens("Edit: {name}", Description="an hour of work", Units="66")
edits_weight = opens("Edit: GET /{slug}", Weight="44", Description="an hour of work")
reprices = opens("Prices: {name}", **{"Amount in USD": "12.34"})


async def unprices(page: Page, name: str) -> None:
    await reprices(page, name)
    await page.get_by_role("dialog").get_by_role("button", name="Remove the price in USD").click()


ACTS: dict[str, Act] = {
    "GET /explain": Act("weights", tries, on_page("What does it cost")),
    "GET /webhook-event/{id}": Act("webhooks", nothing, on_page("Show details")),
    "GET /plan/{plan_id}": Act("plans", edits_plan, in_dialog("Save")),
    "GET /plan/{plan_id}/price/{price_id}": Act("plans", reprices, in_dialog("Save")),
    "GET /endpoint-weight/{weight_id}": Act("weights", edits_weight, in_dialog("Save")),
    "GET /subscription/{id}": Act("subscriptions", manages, in_dialog("Set this limit")),
    "POST /plan": Act("plans", opens("New plan", Name="{name} two", Description="work"), in_dialog("Create")),
    "PUT /plan": Act("plans", edits_plan, in_dialog("Save")),
    "DELETE /plan": Act("plans", opens("Delete: {name} free"), in_dialog("Delete")),
    "POST /plan/{plan_id}/price": Act(
        "plans", opens("Prices: {name}", Currency="brl", Amount="5.50"), in_dialog("Add price")
    ),
    "PUT /plan/{plan_id}/price": Act("plans", reprices, in_dialog("Save")),
    "DELETE /plan/{plan_id}/price": Act("plans", unprices, in_dialog("Remove")),
    "POST /endpoint-weight": Act("weights", opens("New weight", Path="/{slug}", Weight="8"), in_dialog("Create")),
    "PUT /endpoint-weight": Act("weights", edits_weight, in_dialog("Save")),
    "DELETE /endpoint-weight": Act("weights", opens("Delete: GET /{slug}"), in_dialog("Delete")),
    "POST /api-key": Act("keys", makes_key, in_dialog("Create")),
    "POST /api-key/{key_id}/rotate": Act("keys", opens("Replace: {name}"), in_dialog("Replace")),
    "DELETE /api-key": Act("keys", opens("Revoke: {name}"), in_dialog("Revoke")),
    "POST /subscription/manual": Act("subscriptions", gives, in_dialog("Give subscription")),
    "POST /subscription/{id}/extend": Act("subscriptions", manages, in_dialog("Set this end")),
    "POST /subscription/{id}/override": Act("subscriptions", manages, in_dialog("Set this limit")),
    "POST /subscription/{id}/cancel": Act("subscriptions", ends, in_dialog("End it now")),
    "POST /webhook-event/{id}/replay": Act("webhooks", nothing, on_page("^Replay")),
    "POST /sync": Act("sync", nothing, on_page("^Compare only")),
}
