import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_make_alone_lists_every_command() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    assert re.findall(r"^  make (\w+) +\S", shown, re.MULTILINE) == phony


def test_ci_runs_check_and_then_test() -> None:
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith("make")]
    assert lines == ["make check", "make test"]
