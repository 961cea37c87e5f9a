"""What every command has: the options, the configuration it loads, and how it says what is wrong."""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from gateway.settings.load import load as settings_from
from gateway.settings.models import Settings
from gateway.settings.problems import SettingsErrors

config_option = click.option(
    "--config",
    "-c",
    envvar="WEIGHBRIDGE_CONFIG",
    default="gateway.yaml",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration file (also: $WEIGHBRIDGE_CONFIG).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def load(config: Path, *, as_json: bool = False) -> Settings:
    """The settings, or every problem printed and exit 1."""
    try:
        return settings_from(config, os.environ)
    except SettingsErrors as errors:
        fail([str(error) for error in errors.problems], as_json=as_json)


def fail(problems: list[str], *, as_json: bool) -> NoReturn:
    """Print the problems and exit 1."""
    if as_json:
        click.echo(json.dumps({"ok": False, "errors": problems, "warnings": []}))
    else:
        for problem in problems:
            click.secho(problem, fg="red", err=True)
        count = len(problems)
        click.echo(f"{count} problem{'' if count == 1 else 's'}. Nothing was started.", err=True)
    sys.exit(1)
