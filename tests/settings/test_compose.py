"""The fast reading of YAML is the same as the exact one, or is not used."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from gateway.settings import compose as composing
from gateway.settings.compose import Loader, compose
from gateway.settings.include import presets, shipped_file

CASES = Path(__file__).parents[1] / "cases"
TEXTS = [path.read_text() for path in (shipped_file(), *presets().values(), *sorted(CASES.rglob("*.yaml")))]
ODD = (
    "\n", " ", "  ", ":", ": ", "- ", "{", "}", "[", "]", ",", "'", '"', "#", " #", "&a ", "*a", "!", "!!str ", "|",
    "|\n", ">", "%", "---", "...", "<<: ", "?", "? ", "\t", "\u2028", "\ufeff", "\x85", "\\", "\r", "@", "`", "\u00e9",
    "\U0001f600", "~", "\x07", "\n\n", "|2\n", "|+\n", ">-\n  a\n\n b\n", "'a\n b'", '"a\\\n b"', ": a\n", '""', "''",
    "\n-", " \n", "\xa0", "|#", ">-#", "{a: }", "[b: , c]", "key:\n",
)  # fmt: skip


def said(read: Any, text: str) -> Any:
    """The nodes with their places, or the mistake with its own."""
    try:
        root = read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return error.problem, error.context, mark and (mark.line, mark.column)
    except (yaml.YAMLError, RecursionError) as error:
        return type(error), str(error)
    found: list[Any] = []
    _walk(root, found)
    return found


def _walk(node: Node | None, found: list[Any]) -> None:
    if node is None:
        return
    value = node.value if isinstance(node.value, str) else len(node.value)
    found.append((type(node), node.tag, value, node.start_mark.line, node.start_mark.column))
    if isinstance(node, SequenceNode):
        for each in node.value:
            _walk(each, found)
    elif isinstance(node, MappingNode):
        for name, each in node.value:
            _walk(name, found)
            _walk(each, found)


def exact(text: str) -> Node | None:
    return Loader(text).get_single_node()


@pytest.mark.parametrize("text", TEXTS)
def test_every_configuration_here_is_read_the_same(text: str) -> None:
    assert said(compose, text) == said(exact, text)


def test_whatever_is_done_to_them_they_are_read_the_same() -> None:
    chance, fast = random.Random(4), 0
    for _ in range(1_500):
        lines = chance.choice(TEXTS).split("\n")
        start = chance.randrange(len(lines))
        text = "\n".join(lines[start : start + chance.randrange(1, 10)])
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(ODD) + text[at + chance.choice((0, 0, 1)) :]
        assert said(compose, text) == said(exact, text), text
        fast += not composing._UNSURE.search(text)
    assert fast > 500  # the guard does not keep all of it away


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "[\n" * 100_000])
def test_a_text_that_is_nested_too_deeply_does_not_end_the_process(text: str) -> None:
    with pytest.raises(RecursionError):
        compose(text)


def test_a_thousand_rules_are_read_by_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "rules:\n" + "".join(f"  - {{method: GET, path: /x/{n}, weight: 3}}\n" for n in range(1_000))
    expected = said(exact, text)
    monkeypatch.setattr(composing, "Loader", None)
    assert said(compose, text) == expected
