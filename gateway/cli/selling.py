"""``migrate``, ``apply``, ``sync`` and ``doctor stripe``: what is done to the billing database, and at the provider.

No other command needs a database or a provider's library, so these are imported as they are used.
"""

import asyncio
import json
from pathlib import Path

import click

from gateway import log
from gateway.cli.common import config_option, fail, json_option, load
from gateway.store.errors import StoreError


@click.command()
@config_option
@json_option
def migrate(config: Path, *, as_json: bool) -> None:
    """Bring the billing database (`store`) to this version. An SQLite file is copied first; a start migrates it too.

    \b
    Example:  weighbridge migrate --config gateway.yaml
    """  # noqa: D301
    from gateway.store.open import migrate as bring  # noqa: PLC0415

    settings = load(config, as_json=as_json)
    if settings.store is None:
        fail(["store is null: there is nothing to migrate"], as_json=as_json)
    try:
        done = asyncio.run(bring(settings.store))
    except StoreError as error:
        fail([str(error)], as_json=as_json)
    if as_json:
        click.echo(json.dumps({"ok": True, "store": str(done.place), "before": done.before, "after": done.after}))
    elif done.before == done.after:
        click.echo(f"{done.place}: at step {done.after} already.")
    else:
        click.echo(f"{done.place}: from {f'step {done.before}' if done.before else 'nothing'} to step {done.after}.")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@config_option
@json_option
def apply(file: Path, config: Path, *, dry_run: bool, as_json: bool) -> None:
    """Make plans, prices and weights of the billing database as FILE says, and print what that changes.

    What FILE does not name is left alone; nothing is removed. A gateway that runs follows within two seconds. Exits
    with 1 if something is wrong with FILE or the database.

    \b
    FILE:     plans:
                - {slug: pro, name: Pro, throughput_limit: 5000, window_seconds: 60, duration_days: 30,
                   prices: [{currency: usd, price_cents: 4900, is_default: true}]}
              weights:
                - {method: POST, path_pattern: /message/whatsapp, weight: 5}
    Example:  weighbridge apply plans.yaml --dry-run
    """  # noqa: D301
    from gateway.apply.command import apply as apply_file  # noqa: PLC0415

    apply_file(file, load(config, as_json=as_json), dry_run=dry_run, as_json=as_json)


@click.command()
@click.option("--full", is_flag=True, help="Compare everything, not only what has happened or is due.")
@click.option("--dry-run", is_flag=True, help="Only print what would be changed.")
@click.option("--move-account", is_flag=True, help="Sell through the account of the configured key from now on.")
@config_option
@json_option
def sync(config: Path, *, full: bool, dry_run: bool, move_account: bool, as_json: bool) -> None:
    """Bring what was sold in step with the payment provider, and print what was not. The gateway does it by itself too.

    A key of another account, or of the other mode, is refused until `--move-account` says that it is meant: what was
    sold before then stays as it is, and is not kept in step any more.

    \b
    Example:  weighbridge sync --full --dry-run
    """  # noqa: D301
    from gateway import selling_commands  # noqa: PLC0415

    log.configure("warning", "console")
    if move_account:
        selling_commands.move_account(load(config, as_json=as_json), as_json=as_json)
        return
    selling_commands.sync(load(config, as_json=as_json), full=full, dry_run=dry_run, as_json=as_json)


@click.command("stripe")
@click.option("--url", help="The public URL of the webhook: https://…/billing/webhook/stripe")
@config_option
@json_option
def doctor_stripe(config: Path, *, url: str | None, as_json: bool) -> None:
    """Check key, account, webhook endpoint, events, version and plans at Stripe.

    \b
    Example:  weighbridge doctor stripe --url https://api.example.com/billing/webhook/stripe
    """  # noqa: D301
    from gateway import selling_commands  # noqa: PLC0415

    selling_commands.doctor(load(config, as_json=as_json), url=url, as_json=as_json)
