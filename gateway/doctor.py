"""``weighbridge doctor``: is what the gateway leans on set up so that budgets are safe?"""

import asyncio
import json
import os
import sys
from pathlib import Path

import click

from gateway.settings.load import load
from gateway.settings.problems import SettingsErrors


@click.group(invoke_without_command=True)
@click.option(
    "--config",
    "-c",
    envvar="WEIGHBRIDGE_CONFIG",
    default="gateway.yaml",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration file (also: $WEIGHBRIDGE_CONFIG).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.pass_context
def doctor(context: click.Context, config: Path, *, as_json: bool) -> None:
    """Ask the Redis of `ledger` how it is set up, and say what is at risk; `doctor stripe` looks at the account there.

    Exits 1 if something is bad.

    \b
    Example:  weighbridge doctor --config gateway.yaml
    """  # noqa: D301  (click reads the \b)
    if context.invoked_subcommand is not None:
        return
    try:
        settings = load(config, os.environ)
    except SettingsErrors as errors:
        raise click.ClickException("\n".join(str(error) for error in errors.problems)) from None
    if not settings.ledger.shared:
        click.echo(json.dumps([]) if as_json else "ledger: counters in this process, with a journal of its own: good.")
        return
    from gateway.ledger.redis.doctor import examine  # noqa: PLC0415  (no other command needs the client)

    found = asyncio.run(examine(settings.ledger.url))
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found]))
    for each in () if as_json else found:
        colour = {"good": "green", "risk": "yellow", "bad": "red"}[each.verdict]
        click.secho(f"{each.verdict}: {each.what}", fg=colour)
        if each.risk:
            click.echo(f"      {each.risk}\n      {each.mend}")
    sys.exit(any(each.verdict == "bad" for each in found))
