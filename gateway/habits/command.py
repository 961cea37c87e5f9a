"""``weighbridge probe URL``."""

import json
import sys
from typing import NoReturn

import click

from gateway.habits.find import CannotTell, find
from gateway.habits.show import as_json, report_lines
from gateway.habits.site import Site, Unreachable


@click.command()
@click.argument("url")
@click.option("--header", "-H", "headers", multiple=True, metavar="'NAME: VALUE'", help="Sent with every GET.")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for each answer.")
@click.option("--json", "for_programs", is_flag=True, help="Print JSON for programs.")
def probe(url: str, headers: tuple[str, ...], timeout: float, *, for_programs: bool) -> None:
    """Find out how an API's router reads paths, and print the profile for gateway.yaml.

    It sends some dozens of GETs: the path of URL and other spellings of it. Ask the API itself, not the gateway, for a
    path that is safe to GET, that exists, and that has two or more fixed segments of letters.

    \b
    Example:  weighbridge probe http://127.0.0.1:9000/user/me -H "Authorization: Bearer …"
    """  # noqa: D301  (click reads the \b)
    try:
        site = Site(url, [_field(header) for header in headers], timeout)
        found = find(site)
    except (CannotTell, Unreachable) as error:
        _fail(str(error), for_programs=for_programs)
    if for_programs:
        click.echo(json.dumps(as_json(site, found)))
        return
    for line in report_lines(site, found):
        click.secho(line, fg="yellow" if line.startswith("warning: ") else None)


def _field(header: str) -> tuple[str, str]:
    name, colon, value = header.partition(":")
    if not colon or not name.strip() or not header.isascii() or not header.isprintable():
        raise click.BadParameter("must be written 'Name: value'", param_hint="--header")
    return name.strip(), value.strip()


def _fail(message: str, *, for_programs: bool) -> NoReturn:
    if for_programs:
        click.echo(json.dumps({"error": message}))
    else:
        click.secho(message, fg="red", err=True)
    sys.exit(1)
