"""Wrong configurations, each with all that is said about it: see ``tests/cases/settings/README.md``."""

from pathlib import Path

import pytest

from gateway.settings.load import load
from gateway.settings.problems import SettingsErrors

CASES = Path(__file__).parent.parent / "cases" / "settings"
ENV = {"JWT_SECRET": "0123456789abcdef0123456789abcdef", "EMPTY": "", "LETTERS": "abc"}


def what_is_said(name: str) -> list[str]:
    try:
        load(name, ENV)
    except SettingsErrors as errors:
        return [str(problem) for problem in errors.problems]
    return []


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.glob("*.yaml")))
def test_every_problem_is_said_at_once_with_its_place(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    expected = (CASES / case).with_suffix(".errors").read_text().splitlines()
    assert what_is_said(case) == expected


def test_every_expectation_belongs_to_a_case() -> None:
    assert {path.stem for path in CASES.glob("*.errors")} == {path.stem for path in CASES.glob("*.yaml")}
