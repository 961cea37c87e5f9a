"""The page for operators says what the code says."""

import re
from pathlib import Path

from gateway.metrics import INSTRUMENTS, Instrument

TEXT = (Path(__file__).parents[1] / "docs" / "operations.md").read_text("utf-8")


def row(instrument: Instrument) -> str:
    """An instrument's line of the table."""
    total = "_total" if instrument.kind == "counter" else ""
    labels = f" {', '.join(instrument.labels)}" if instrument.labels else ""
    return f"| `weighbridge_{instrument.name}{total}` | {instrument.kind} |{labels} | {instrument.help} |"


def test_the_table_of_metrics_has_each_instrument_as_it_is_and_no_other() -> None:
    assert re.findall(r"^\| `weighbridge_.*$", TEXT, re.MULTILINE) == [row(each) for each in INSTRUMENTS]
