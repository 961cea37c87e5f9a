"""What was measured, for people (a table) and for programs (JSON)."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench import load, subjects
from bench.rounds import Measured, Plan, Sample
from gateway.clock import now_us

if TYPE_CHECKING:
    from bench.goals import Goal


@dataclass(frozen=True, slots=True)
class Row:
    """One subject's medians over the rounds. A ratio is the median of each round's own ratio to the yardstick."""

    name: str
    per_second: float
    per_second_ratio: float | None
    cpu_us: float
    cpu_ratio: float | None
    p50_us: float
    p99_us: float
    rss_bytes: float
    core_busy: float
    failed: int
    """Answers of 400 and above, and broken connections, of all rounds."""


def rows(measured: Measured) -> list[Row]:
    """A row for each subject that ran."""
    yardstick = measured.samples.get(subjects.YARDSTICK)
    return [_row(name, samples, yardstick) for name, samples in measured.samples.items()]


def _row(name: str, samples: list[Sample], yardstick: list[Sample] | None) -> Row:
    def middle(value: Callable[[Sample], float]) -> float:
        return median(map(value, samples))

    def ratio(value: Callable[[Sample], float]) -> float | None:
        if not yardstick:
            return None
        return median(value(one) / value(bare) for one, bare in zip(samples, yardstick, strict=True) if value(bare))

    return Row(
        name=name,
        per_second=middle(lambda sample: sample.load.per_second),
        per_second_ratio=ratio(lambda sample: sample.load.per_second),
        cpu_us=middle(lambda sample: sample.cpu_us_per_request),
        cpu_ratio=ratio(lambda sample: sample.cpu_us_per_request),
        p50_us=middle(lambda sample: sample.load.p50_us),
        p99_us=middle(lambda sample: sample.load.p99_us),
        rss_bytes=middle(lambda sample: sample.rss_bytes),
        core_busy=middle(lambda sample: sample.core_busy),
        failed=sum(sample.failed for sample in samples),
    )


def show(console: Console, table: list[Row], missing: Mapping[str, str], plan: Plan) -> None:
    """Print the table, what is missing, and the verdict."""
    title = f"{plan.rounds} rounds of {plan.seconds:g} s, {plan.connections} connections"
    caption = f"load: {load.generator()}; API behind: {subjects.upstream_name()}"
    view = Table(title=title, caption=caption, box=SIMPLE_HEAD, padding=0)
    view.add_column("one core", no_wrap=True)
    for heading in ("req/s", "x bare", "CPU µs", "x bare", "p50 ms", "p99 ms", "MB", "busy", "failed"):
        view.add_column(heading, justify="right", no_wrap=True)
    for row in table:
        view.add_row(*_cells(row))
    if table:
        console.print(view)
    for name, why in missing.items():
        console.print(f"{name}: {why}", style="yellow", markup=False, highlight=False)


def show_goals(console: Console, goals: "Sequence[Goal]") -> None:
    """Print what was promised beside what was measured."""
    view = Table(title="goals", box=SIMPLE_HEAD, padding=0)
    view.add_column("", no_wrap=True)
    for heading in ("measured", "minimum", "goal", ""):
        view.add_column(heading, justify="right", no_wrap=True)
    for each in goals:
        measured = "" if each.value is None else f"{each.value:.2f} {each.unit}"
        view.add_row(each.what, measured, f"{each.minimum:g}", f"{each.goal:g}", each.verdict)
    console.print(view)


def _cells(row: Row) -> tuple[str, ...]:
    def times(ratio: float | None) -> str:
        return "" if ratio is None else f"{ratio:.2f}"

    return (
        row.name,
        f"{row.per_second:,.0f}",
        times(row.per_second_ratio),
        f"{row.cpu_us:.1f}",
        times(row.cpu_ratio),
        f"{row.p50_us / 1000:.2f}",
        f"{row.p99_us / 1000:.2f}",
        f"{row.rss_bytes / 1e6:.0f}",
        f"{row.core_busy:.0%}",
        f"{row.failed}",
    )


def save(
    directory: Path,
    measured: Measured,
    table: list[Row],
    plan: Plan,
    goals: "Sequence[Goal]" = (),
    extras: Mapping[str, Any] | None = None,
) -> Path:
    """Write everything that was measured to a new JSON file and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    at = datetime.fromtimestamp(now_us() / 1e6, UTC)
    path = directory / f"{at:%Y%m%dT%H%M%SZ}.json"
    document = {
        "at": at.isoformat(timespec="seconds"),
        "machine": machine(),
        "plan": asdict(plan) | {"load": load.generator(), "upstream": subjects.upstream_name()},
        "summary": [asdict(row) for row in table],
        "goals": [asdict(each) | {"verdict": each.verdict} for each in goals],
        "lane_share": measured.lane_share,
        "latency": None if measured.latency is None else asdict(measured.latency),
        "extras": extras,
        "missing": dict(measured.missing),
        "samples": {name: [asdict(sample) for sample in samples] for name, samples in measured.samples.items()},
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def machine() -> dict[str, Any]:
    """Where the figures are from: they mean something only beside others of the same run."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": model[0] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "programs": programs(),
        "packages": {name: version(name) for name in ("weighbridge", "aiohttp", "httptools", "uvloop")},
        "commit": _git("describe", "--always", "--dirty"),
    }


def programs() -> dict[str, str]:
    """The versions of the peers that are installed, as they call themselves."""
    asked = {"nginx": "-v", "haproxy": "-v", "caddy": "version", "redis-server": "--version", "wrk": "-v"}
    return {name: said for name, flag in asked.items() if (said := _said(name, flag))}


def _said(program: str, flag: str) -> str:
    """The first line of what a program says of its version; empty: it is not here."""
    if shutil.which(program) is None:
        return ""
    done = subprocess.run([program, flag], capture_output=True, text=True, timeout=10, check=False)
    return next(iter((done.stdout + done.stderr).strip().splitlines()), "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
