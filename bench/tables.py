"""What the parts besides the rounds found, as tables for people."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Print a table for each part that was measured."""
    for name, table in _TABLES.items():
        if name in found:
            table(console, found[name])


def _print(console: Console, title: str, headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    view = Table(title=title, box=SIMPLE_HEAD, padding=0)
    first, *others = headings
    view.add_column(first, no_wrap=True)
    for heading in others:
        view.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        view.add_row(*row)
    console.print(view)


def _bodies(console: Console, found: Mapping[str, Any]) -> None:
    rows = [
        (name, size, direction, f"{one['mb_s']:,.1f}", f"{one['cpu_us_mb']:,.0f}", f"{one['grew_mb']:.1f}")
        for name, sizes in found.items()
        for size, directions in sizes.items()
        for direction, one in directions.items()
    ]
    _print(console, "bodies", ("", "size", "way", "MB/s", "CPU µs/MB", "memory grew MB"), rows)


def _scale(console: Console, found: Mapping[str, Any]) -> None:
    rows = [
        (what, number, f"{cost['per_second']:,}", f"{cost['cpu_us']:.1f}")
        for what, costs in found.items()
        if not isinstance(costs, str)
        for number, cost in costs.items()
    ]
    _print(console, "cost of a request as work grows", ("", "how many", "req/s", "CPU µs"), rows)


def _lab(console: Console, found: Mapping[str, Any]) -> None:
    rules = [("rules", number, f"{ns / 1000:.2f} µs a match") for number, ns in found["matching_ns"].items()]
    scopes = [("scopes", number, _journal(one)) for number, one in found["journal_by_scopes"].items()]
    _print(console, "rules, and the journal at 40,000 charges/s", ("", "how many", "cost"), [*rules, *scopes])


def _journal(one: Mapping[str, float]) -> str:
    parts = ", ".join(f"{name} {one[f'{name}_us']:.2f}" for name in ("append", "write", "fold"))
    return f"{one['share']:.1%} of a core: {parts} µs a charge"


def _facts(title: str) -> Any:
    def show_facts(console: Console, found: Mapping[str, Any]) -> None:
        _print(console, title, ("", ""), list(_lines(found)))

    return show_facts


def _lines(found: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    for name, value in found.items():
        if isinstance(value, Mapping) and name != "long_way":
            yield from _lines(value, f"{before}{name} ")
        elif isinstance(value, int | float):
            yield f"{before}{name}", f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


_TABLES = {
    "bodies": _bodies,
    "scale": _scale,
    "lab": _lab,
    "streams": _facts("server-sent events to slow readers"),
    "idle": _facts("idle connections"),
    "starting": _facts("starting"),
    "recorded": _facts("wacraft's recorded calls"),
}
