"""``check`` and ``explain``: what a configuration means, without running it."""

import json
from pathlib import Path
from typing import Any

import click

from gateway import assembly
from gateway.assembly import build_snapshot, identity_config
from gateway.cli.common import config_option, fail, json_option, load
from gateway.clock import now_us
from gateway.core.problems import Problem
from gateway.core.rules import RuleErrors
from gateway.core.target import canonical_target
from gateway.identity.authenticate import Authenticator
from gateway.metering.snapshot import Snapshot
from gateway.settings import certificates
from gateway.settings.models import Settings
from gateway.supervisor import orphaned


@click.command()
@config_option
@json_option
def check(config: Path, *, as_json: bool) -> None:
    """Check the configuration and say everything that is wrong with it, or risky.

    \b
    Example:  weighbridge check --config gateway.yaml
    """  # noqa: D301
    settings = load(config, as_json=as_json)
    snapshot = _snapshot(settings, as_json=as_json)
    shadowed = [f"{found.rule.label} never counts: an admin's rule hides it" for found in snapshot.rules.shadowed]
    warnings = [*settings.warnings, *certificates.cautions(settings, now_us()), *orphaned(settings), *shadowed]
    off = assembly.bounds_of(settings)
    if as_json:
        click.echo(json.dumps({"ok": True, "errors": [], "warnings": warnings, "bounds": off}))
        return
    for warning in warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    for line in off:
        click.echo(f"bound: {line}")
    rules, plans = len(snapshot.rules.rules), len(snapshot.catalog.plans)
    click.echo(f"{config}: good. {plans} plans, {rules} rules, {len(warnings)} warnings.")


@click.command()
@click.argument("method")
@click.argument("path")
@config_option
@json_option
def explain(method: str, path: str, config: Path, *, as_json: bool) -> None:
    """Say which rule a request meets, what it costs, who pays, and which rules lost.

    \b
    Example:  weighbridge explain POST /message/whatsapp
    """  # noqa: D301
    settings = load(config, as_json=as_json)
    snapshot = _snapshot(settings, as_json=as_json)
    try:
        target = canonical_target(method.upper(), path.encode(), snapshot.profile)
    except Problem as problem:
        fail([problem.message], as_json=as_json)
    found = snapshot.rules.explain(method.upper(), target.segments)
    rule = found.winner
    pays = list(rule.pays if rule.pays is not None else snapshot.cascade)
    facts: dict[str, Any] = {
        "method": method.upper(),
        "target": target.path,
        "profile": snapshot.profile.name,
        "rule": rule.name,
        "origin": rule.origin.where,
        "weight": rule.weight,
        "pays": pays,
        "public": rule.public,
        "fallback": rule.fallback,
        "enforce": rule.enforce,
        "charge": rule.charge,
        "frame_weight": rule.frame_weight,
    }
    losers = [(loser.rule.name, loser.rule.origin.where, loser.reason) for loser in found.runners_up]
    if as_json:
        runners = [dict(zip(("rule", "origin", "reason"), loser, strict=True)) for loser in losers]
        click.echo(json.dumps({**facts, "runners_up": runners}))
        return
    _print_facts(facts, losers)


def _snapshot(settings: Settings, *, as_json: bool) -> Snapshot:
    try:
        Authenticator(identity_config(settings))
        return build_snapshot(settings, 0)
    except RuleErrors as errors:
        fail([str(error) for error in errors.errors], as_json=as_json)
    except ValueError as error:
        fail([str(error)], as_json=as_json)


def _print_facts(facts: dict[str, Any], losers: list[tuple[str, str, str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  (3 MB that who serves does without)
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        shown = " then ".join(value) or "nobody" if isinstance(value, list) else str(value)
        table.add_row(f"[bold]{name}[/]", shown)
    console.print(table)
    if losers:
        console.print("\n[bold]runners-up[/]")
        for name, origin, reason in losers:
            console.print(f"  {name}  [dim]{origin}[/]  {reason}", highlight=False)
