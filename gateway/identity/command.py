"""``weighbridge key``: API keys for the configuration."""

import json

import click

from gateway.identity.api_keys import generate_key


@click.group()
def key() -> None:
    """Make API keys."""


@key.command("new")
@click.option("--user", required=True, help="The user that requests with this key act for.")
@click.option("--workspace", help="The workspace, if the key is for one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def key_new(user: str, workspace: str | None, *, as_json: bool) -> None:
    """Make an API key: the secret is shown once, the configuration keeps a hash.

    \b
    Example:  weighbridge key new --user 550e8400-e29b-41d4-a716-446655440000
    """  # noqa: D301
    made = generate_key()
    entry = {"id": made.id, "hash": made.hash, "user": user} | ({"workspace": workspace} if workspace else {})
    if as_json:
        click.echo(json.dumps({"key": made.key, "entry": entry}))
        return
    click.echo("Give this to the caller; it is not shown again:\n")
    click.secho(f"    {made.key}\n", bold=True)
    click.echo("Put this into the configuration, under identity.api_keys:\n")
    click.echo("    - {" + ", ".join(f'{name}: "{value}"' for name, value in entry.items()) + "}")
