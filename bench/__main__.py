"""``python -m bench``: the gateway, a bare aiohttp proxy and others of its trade on the same core, in one run."""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import extras, goals, load, report, tables, workload
from bench.rounds import Measured, Plan, measure
from bench.subjects import SUBJECTS, Bench, Subject

ALL_CORES = os.sched_getaffinity(0)
WIDTH = 120
"""Of tables that go to a file."""
RESULTS = Path(__file__).parent / "results"
WRK_HINT = "wrk is not installed (apt-get install wrk): the slower Python load generator is used, and may be the limit."
ONE_CORE = "There is one core only: subject and load generator share it, so the figures say little."


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 100))
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.1, 300), help="Length of one load.")
@click.option(
    "--warm-up", default=30.0, show_default=True, type=click.FloatRange(0.1, 300), help="At most, in seconds."
)
@click.option("--connections", default=64, show_default=True, type=click.IntRange(1, 4096))
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([*(subject.name for subject in SUBJECTS), *extras.NAMES]),
    help="Subjects of the table, and parts that are measured besides it.",
)
@click.option(
    "--results", default=RESULTS, type=click.Path(file_okay=False, path_type=Path), help="Where the JSON goes."
)
def main(rounds: int, seconds: float, warm_up: float, connections: int, only: tuple[str, ...], results: Path) -> None:
    """Measure, print a table, write JSON. Fails if an answer was wrong or a subject did not start.

    Example: python -m bench --rounds 5 --seconds 10
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    plan = Plan(rounds=rounds, seconds=seconds, warm_up=warm_up, connections=connections)
    chosen = tuple(subject for subject in SUBJECTS if not only or subject.name in only)
    parts = tuple(name for name in extras.NAMES if not only or name in only)
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-") as directory:
        measured = _run(console, chosen, plan, Path(directory)) if chosen else Measured({}, {})
    os.sched_setaffinity(0, ALL_CORES)
    with console.status("besides") as status:
        found, failed = extras.run(parts, lambda name: status.update(f"besides: {name}"))
    measured = replace(measured, missing={**measured.missing, **failed})
    table = report.rows(measured)
    reached = goals.goals(table, measured.lane_share, measured.latency, found)
    report.show(console, table, measured.missing, plan)
    tables.show(console, found)
    report.show_goals(console, reached)
    path = report.save(results, measured, table, plan, reached, found)
    console.print(f"All figures: {path}", highlight=False, soft_wrap=True)
    unwell = [name for name, why in measured.missing.items() if why.startswith("did not run")]
    sys.exit(1 if unwell or any(row.failed for row in table) else 0)


def _run(console: Console, chosen: tuple[Subject, ...], plan: Plan, directory: Path) -> Measured:
    cores = sorted(os.sched_getaffinity(0))
    for warning in [WRK_HINT] * load.generator().startswith("bench") + [ONE_CORE] * (len(cores) == 1):
        console.print(warning, style="yellow")
    bench = Bench(directory, subject_core=cores[0], load_core=cores[-1])
    os.sched_setaffinity(0, {bench.load_core})  # the load generator inherits it
    columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("making the load", total=len(chosen) * plan.steps_per_subject)
        calls = workload.make(bench.secret)
        path = workload.write(calls, directory)
        done = iter(range(len(chosen) * plan.steps_per_subject))
        return measure(
            chosen,
            bench,
            plan,
            calls[0],
            path,
            lambda what: progress.update(task, description=what, completed=next(done)),
        )


if __name__ == "__main__":
    main()
