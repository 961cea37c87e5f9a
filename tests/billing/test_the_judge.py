"""The judge is worth something only as long as it can be read at one glance, and shares nothing with what it judges."""

import ast
from pathlib import Path

from tests.billing import judge

MOST = 40


def test_it_is_short_and_knows_nothing_of_ours() -> None:
    text = Path(judge.__file__).read_text()
    tree = ast.parse(text)
    taken = [ast.unparse(each) for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    assert taken == ["from typing import Any"]
    notes: set[int] = set()
    for each in ast.walk(tree):
        if isinstance(each, ast.Module | ast.FunctionDef) and ast.get_docstring(each):
            notes |= set(range(each.body[0].lineno, (each.body[0].end_lineno or 0) + 1))
    lines = [line for number, line in enumerate(text.splitlines(), 1) if line.strip() and number not in notes]
    assert len(lines) <= MOST
