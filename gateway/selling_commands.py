"""``weighbridge sync`` and ``weighbridge doctor stripe``."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import NoReturn, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from gateway.billing import catalog_push
from gateway.billing.run import Run
from gateway.billing.sales import Sales
from gateway.billing.sync import Syncer
from gateway.core.problems import StoreUnavailable
from gateway.payments.port import Check, Item, ProviderError, Strange, Verdict
from gateway.selling import open_sales
from gateway.settings.models import Settings
from gateway.store import orders, syncs
from gateway.store.deeds import AccountMoved
from gateway.store.errors import StoreError
from gateway.store.mandate import Actor, Mandate
from gateway.store.open import open_store

_T = TypeVar("_T")
_MARKS: Mapping[Verdict, tuple[str, str]] = {
    "good": ("✓", "green"),
    "look": ("!", "yellow"),
    "bad": ("✗", "red"),
    "ask": ("?", "cyan"),
}


def sync(settings: Settings, *, full: bool, dry_run: bool, as_json: bool) -> None:
    """Compare what is sold with the provider's, and print what was not the same. Exit 1 if something went wrong."""
    run = _with_sales(
        settings, lambda sales: _synced(sales, full=full, dry_run=dry_run, quiet=as_json), as_json=as_json
    )
    if as_json:
        click.echo(json.dumps({"ok": not run.problems, **asdict(run)}))
    else:
        _print_run(run)
    sys.exit(1 if run.problems else 0)


def move_account(settings: Settings, *, as_json: bool) -> None:
    """Sell through the account of the configured key from now on, whoever sold before."""
    before, after = _with_sales(settings, _moved, as_json=as_json)
    if as_json:
        click.echo(json.dumps({"ok": True, "before": before, "after": after}))
    elif before == after:
        click.echo(f"It is sold through {after} already.")
    else:
        click.echo(f"Sold through {after} from now on. What was sold through {before or 'nobody'} stays as it is.")


def doctor(settings: Settings, *, url: str | None, as_json: bool) -> None:
    """Look at the account's set-up, and print what to mend. Exit 1 if something serious is wrong."""
    checks = [*_own(settings), *_with_sales(settings, lambda sales: _examined(sales, url), as_json=as_json)]
    bad = [check for check in checks if check.verdict == "bad"]
    if as_json:
        click.echo(json.dumps({"ok": not bad, "checks": [check._asdict() for check in checks]}))
        sys.exit(1 if bad else 0)
    for check in checks:
        mark, colour = _MARKS[check.verdict]
        click.secho(f"{mark} {check.what}", fg=colour)
        if check.mend:
            click.echo(f"    {check.mend}")
    asked = sum(check.verdict == "ask" for check in checks)
    click.echo(
        f"Not ready: {len(bad)} to mend." if bad else f"Ready to sell, once you have looked at the {asked} marked ?."
    )
    sys.exit(1 if bad else 0)


async def _synced(sales: Sales, *, full: bool, dry_run: bool, quiet: bool) -> Run:
    count = await orders.count(sales.store, sales.provider.name)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"))
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as shown:
        bars: dict[str, TaskID] = {}

        def progress(what: str, done: int) -> None:
            if what not in bars:
                bars[what] = shown.add_task(what, total=count if what == "sales" and full else None)
            shown.update(bars[what], completed=done)

        return await Syncer(sales).run(full=full, dry_run=dry_run, progress=progress)


async def _moved(sales: Sales) -> tuple[str | None, str]:
    name = sales.provider.name
    before, after = (await syncs.get(sales.store, name)).account, (await sales.provider.whose()).name
    if before != after:
        async with sales.store.write(Mandate(Actor("command", "sync"), sales.now_us())) as act:
            await syncs.move(act, name, before or after, after)
            act.note("sync.move_account", name, None, AccountMoved(before, after))
    return before, after


async def _examined(sales: Sales, url: str | None) -> list[Check]:
    try:
        await sales.provider.admitted()
    except Strange as error:
        return [Check(error.message, "bad", "mend the key, or move on to its account: nothing is sold until then")]
    except ProviderError as error:
        mend = "see payments.stripe.api_key and api_base"
        return [Check(f"the account cannot be read: {error.message}", "bad", mend)]
    items = await catalog_push.items(sales)
    currencies = sorted({item.currency for item in items})
    return [*await sales.provider.examine(url, currencies), *_sold(sales, items), *await _catalog(sales, items)]


def _sold(sales: Sales, items: Sequence[Item]) -> list[Check]:
    if not items:
        return [Check("no active plan has a price", "look", "add prices to plans, or nothing can be bought")]
    objections = [(item, sales.provider.objection(item)) for item in items]
    found = [
        Check(f"plan {item.slug} cannot be sold ({item.mode}): {why}", "bad", "change its price or its days")
        for item, why in objections
        if why is not None
    ]
    return found or [Check(f"{len(items)} prices can be charged")]


async def _catalog(sales: Sales, items: Sequence[Item]) -> list[Check]:
    good = [item for item in items if sales.provider.objection(item) is None]
    drift = await sales.provider.push(good, dry_run=True)
    if not drift:
        return [Check("the catalog there is as it is here")]
    return [Check(f"{len(drift)} of the catalog are not there as here", "look", "weighbridge sync --full --dry-run")]


def _own(settings: Settings) -> list[Check]:
    stripe, found = settings.payments.stripe, []
    if stripe is not None and not stripe.webhook_secrets:
        mend = "set payments.stripe.webhook_secrets to the endpoint's"
        found.append(Check("no webhook secret is configured", "bad", mend))
    else:
        found.append(Check("a webhook secret is configured"))
    if settings.payments.return_origins is None:
        mend = "list your own pages in payments.return_origins"
        found.append(Check("customers may be sent to any https page", "look", mend))
    else:
        found.append(Check("customers are sent back to your own pages only"))
    return found


def _with_sales(settings: Settings, act: Callable[[Sales], Awaitable[_T]], *, as_json: bool) -> _T:
    """``act`` with what sells, opened and closed around it; or say why not, and end with 1."""
    url = settings.store
    if settings.payments.stripe is None or url is None:
        _fail("payments.stripe is null: nothing is sold through Stripe", as_json=as_json)

    async def run() -> _T:
        store = await open_store(url)
        sales = open_sales(settings, store)
        try:
            return await act(sales)
        finally:
            await sales.provider.close()
            await store.close()

    try:
        return asyncio.run(run())
    except ProviderError as error:
        _fail(error.message, as_json=as_json)
    except StoreError as error:
        _fail(str(error), as_json=as_json)
    except StoreUnavailable as error:
        _fail(f"the store cannot be reached: {error.__cause__ or error}", as_json=as_json)


def _print_run(run: Run) -> None:
    would = "would be changed" if run.dry_run else "changed"
    for id_, changes in run.changes.items():
        click.secho(f"~ {id_}", fg="yellow")
        for change in changes:
            click.echo(f"    {change}")
    for drift in run.drift:
        click.secho(f"~ catalog: {drift}", fg="yellow")
    for problem in run.problems:
        click.secho(f"✗ {problem}", fg="red", err=True)
    click.echo(
        f"{run.happenings} happenings, {run.compared} sales compared, {run.changed} {would}, "
        f"{len(run.drift)} of the catalog, {len(run.problems)} problems."
    )


def _fail(problem: str, *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"ok": False, "errors": [problem]}))
    else:
        click.secho(problem, fg="red", err=True)
    sys.exit(1)
