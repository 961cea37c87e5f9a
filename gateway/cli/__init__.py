"""The command line: ``weighbridge serve | check | explain | migrate | apply | sync | doctor | demo | probe | …``."""

import click

from gateway import __version__
from gateway.cli.judging import check, explain
from gateway.cli.selling import apply, doctor_stripe, migrate, sync
from gateway.cli.serving import demo, health, serve
from gateway.doctor import doctor
from gateway.habits.command import probe
from gateway.identity.command import key


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="weighbridge")
def main() -> None:
    """Weighbridge meters an API: it weighs each request, debits prepaid budgets, and forwards the rest untouched.

    \b
    Try it:      weighbridge demo
    Check:       weighbridge check --config gateway.yaml
    Run:         weighbridge serve --config gateway.yaml
    """  # noqa: D301  (click reads the \b)


doctor.add_command(doctor_stripe)
for command in (apply, check, demo, doctor, explain, health, key, migrate, probe, serve, sync):
    main.add_command(command)
