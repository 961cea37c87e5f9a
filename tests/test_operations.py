"""The page for operators says what the code says."""

import re
from binascii import crc_hqx
from collections import Counter
from math import ceil
from pathlib import Path

import pytest

from gateway.ledger.redis.names import SHARDS
from gateway.metrics import INSTRUMENTS, Instrument

TEXT = (Path(__file__).parents[1] / "docs" / "operations.md").read_text("utf-8")


def row(instrument: Instrument) -> str:
    """An instrument's line of the table."""
    total = "_total" if instrument.kind == "counter" else ""
    labels = f" {', '.join(instrument.labels)}" if instrument.labels else ""
    return f"| `weighbridge_{instrument.name}{total}` | {instrument.kind} |{labels} | {instrument.help} |"


def test_the_table_of_metrics_has_each_instrument_as_it_is_and_no_other() -> None:
    assert re.findall(r"^\| `weighbridge_.*$", TEXT, re.MULTILINE) == [row(each) for each in INSTRUMENTS]


TIMES = (1, 10, 100, 10_000)
TO_A_CALL = (1, 2, 16, 64)
CALL_US, CHARGE_US = 75, 5.3
SCOPE_BYTES, ANSWER_BYTES, REMEMBERED_S = 260, 240, 61
"""As measured: the table above the one that is reckoned."""


def cells(label: str) -> list[str]:
    """A line of the table, without its label."""
    (found,) = re.findall(rf"^\| {re.escape(label)} \| (.*) \|$", TEXT, re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


def test_what_happens_at_ten_and_ten_thousand_times_the_load_is_reckoned_right() -> None:
    requests, scopes = [1_000 * n for n in TIMES], [10_000 * n for n in TIMES]
    calls = [each / charges for each, charges in zip(requests, TO_A_CALL, strict=True)]
    assert cells("requests/s") == [f"{each:,}" for each in requests]
    assert cells("scopes that are active") == [f"{each:,}" for each in scopes]
    assert cells("gateway processes, and a fifth to spare") == [
        str(max(2, ceil(each / 25_000 * 1.2))) for each in requests
    ]
    assert cells("exact: charges to a call") == [str(each) for each in TO_A_CALL]
    assert cells("exact: calls/s to Redis") == [f"{each:,.0f}" for each in calls]
    cores = [each * (CALL_US + CHARGE_US * charges) / 1_000_000 for each, charges in zip(calls, TO_A_CALL, strict=True)]
    assert cells("exact: cores of Redis") == [f"{each:.2f}" if each < 10 else f"{each:.0f}" for each in cores]
    answers = [each * REMEMBERED_S for each in calls]
    keys = [scope + answer for scope, answer in zip(scopes, answers, strict=True)]
    assert cells("exact: keys (scopes, and answers of calls for 61 s)") == [f"{each:,.0f}" for each in keys]
    sizes = [scope * SCOPE_BYTES + answer * ANSWER_BYTES for scope, answer in zip(scopes, answers, strict=True)]
    assert cells("exact: memory of Redis") == [
        f"{each / 1e6:.0f} MB" if each < 1e9 else f"{each / 1e9:.0f} GB" for each in sizes
    ]
    assert f"70 of them with {keys[3] / 70 / 1e6:.1f} M keys and {sizes[3] / 70 / 1e9:.1f} GB each" in TEXT


@pytest.mark.parametrize(("nodes", "more"), [(3, "1 %"), (10, "5 %"), (30, "23 %"), (100, "76 %")])
def test_a_cluster_is_as_uneven_as_it_is_said(nodes: int, more: str) -> None:
    slots = 16_384
    dealt = Counter(crc_hqx(str(shard).encode(), 0) % slots * nodes // slots for shard in range(SHARDS))
    assert f"{max(dealt.values()) / (SHARDS / nodes) - 1:.0%}" == more.replace(" ", "")
    assert re.search(rf"{nodes} nodes(?: the\s+fullest has)? {more}", TEXT)
