"""``weighbridge apply FILE``."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from gateway.apply.upsert import Change, Step, steps
from gateway.apply.upsert import apply as make
from gateway.apply.wanted import Wanted, WrongFile, read
from gateway.assembly import configured
from gateway.clock import now_us
from gateway.core.problems import StoreUnavailable
from gateway.settings.models import Settings
from gateway.store.errors import StoreError
from gateway.store.mandate import Actor, Mandate
from gateway.store.open import open_store

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow")}


def apply(path: Path, settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """Make what ``path`` says so, and print what that changes. Ends the process with 1 if something is wrong."""
    if settings.store is None:
        _fail(["store is null: there is no billing database to apply it to"], as_json=as_json)
    try:
        found = asyncio.run(_run(settings, settings.store, read(path), dry_run=dry_run))
    except WrongFile as wrong:
        _fail(wrong.problems, as_json=as_json)
    except StoreError as error:
        _fail([str(error)], as_json=as_json)
    except StoreUnavailable as error:
        _fail([f"the store cannot be reached: {error.__cause__ or error}"], as_json=as_json)
    changes = [step.change for step in found]
    if as_json:
        said = [{name: getattr(change, name) for name in Change.__slots__} for change in changes]
        click.echo(json.dumps({"ok": True, "dry_run": dry_run, "changes": said}))
        return
    _print(changes, click.secho)
    made = sum(change.action != "same" for change in changes)
    done = "would change" if dry_run else "changed"
    click.echo(f"{made} {done}, {len(changes) - made} as they were.")


async def _run(settings: Settings, url: str, wanted: Wanted, *, dry_run: bool) -> list[Step]:
    store = await open_store(url)
    try:
        found = await steps(store, configured(settings), wanted)
        if not dry_run:
            await make(found, Mandate(Actor("command", "apply"), now_us()))
        return found
    finally:
        await store.close()


def _print(changes: list[Change], echo: Callable[..., Any]) -> None:
    for change in changes:
        if change.action == "same":
            continue
        sign, colour = _SIGNS[change.action]
        echo(f"{sign} {change.kind} {change.name}", fg=colour)
        for name, value in change.after.items():
            before = f"{_text(change.before[name])} → " if name in change.before else ""
            echo(f"    {name}: {before}{_text(value)}")


def _text(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _fail(problems: list[str], *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"ok": False, "errors": problems}))
    else:
        for problem in problems:
            click.secho(problem, fg="red", err=True)
        click.echo("Mend that and run it again: what is as the file says stays so.", err=True)
    sys.exit(1)
