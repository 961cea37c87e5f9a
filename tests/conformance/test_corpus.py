"""The conformance corpus: what must happen downstream, upstream and in the ledger, for each case of the list."""

from pathlib import Path

import pytest

from gateway.settings.models import Settings
from tests.conformance.script import Case, cases
from tests.conformance.stage import perform

pytestmark = pytest.mark.slow

CASES = cases()
ONE_OF_EACH = list({(case.file, case.at): case for case in reversed(CASES)}.values())
"""Of the cases that are alike the first."""
LANES = ["fast_lane: true", "fast_lane: false"] if "fast_lane" in Settings.model_fields else [""]
"""Both ways through the gateway, where there are two."""


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_the_case_holds(tmp_path: Path, case: Case, lane: str) -> None:
    await perform(case, tmp_path, lane)


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=lambda case: case.id)
async def test_the_case_holds_byte_by_byte(tmp_path: Path, case: Case) -> None:
    await perform(case, tmp_path, LANES[0], piecewise=True)
