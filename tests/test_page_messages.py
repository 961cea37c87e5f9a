"""Everything that the pages say stands in the files of messages, in each language."""

import re
from pathlib import Path

import pytest

from gateway import pages
from gateway.core.subscription import Status

JS = Path(pages.__file__).parents[1] / "admin_ui" / "static" / "js"
SCRIPTS = sorted(path for path in JS.rglob("*.js") if path.parent.name != "messages")
NAMES = {"Weighbridge", "usd", "invoice.paid", "/message/whatsapp", "/message/{id}/**"}
"""What is called alike in every language, and what fields have for an example."""
HOLE = "\x00"
_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|/(?![/*])(?:[^/\\\n\[]|\\.|\[[^\]\n]*\])+/[a-z]*(?=[\s.,;)])|`|\$\{|[{}]|.""",
    re.DOTALL,
)
_SENTENCE = re.compile(r"^[A-ZÁÉÍÓÚ][\w'-]*,?( [\w'…-]+[,.;:]?)+$")
_SAID = re.compile(r"""\b(?:title|aria-label|placeholder|alt|label|aria-valuetext)="([^"\x00]*[A-Za-z][^"\x00]*)\"""")


def words(language: str, part: str = "") -> dict[str, str]:
    return pages.messages((JS / "messages" / f"{part}{language}.js").read_bytes())


def read(source: str) -> tuple[list[str], list[str]]:
    """The templates of a script, each with a hole for every expression in it, and its strings in quotes."""
    done: list[str] = []
    strings: list[str] = []
    open_: list[str | None] = []  # templates, and ``None`` for a brace in the code
    inside = False
    position = 0
    while position < len(source):
        if inside:
            stop = re.compile(r"(?:[^`$\\]|\\.|\$(?!\{))*", re.DOTALL).match(source, position)
            assert stop is not None
            open_[-1] = (open_[-1] or "") + stop[0]
            position = stop.end()
            if source[position] == "`":
                done.append(open_.pop() or "")
                inside, position = False, position + 1
            else:
                open_[-1] = (open_[-1] or "") + HOLE
                open_.append("${")
                inside, position = False, position + 2
            continue
        token = _TOKEN.match(source, position)
        assert token is not None
        text, position = token[0], token.end()
        if text == "`":
            open_.append("")
            inside = True
        elif text == "{":
            open_.append(None)
        elif text == "}":
            inside = open_.pop() == "${"
        elif text[0] in "\"'" and len(text) > 1:
            strings.append(text[1:-1])
    return done, strings


def texts(template: str) -> list[str]:
    """What a template says by itself: between its tags, and in the attributes that are read aloud."""
    between = re.sub(r"<[^<>]*>", " ", template).replace(HOLE, " ")
    return [*re.findall(r"[^\W\d_]{2,}", between), *_SAID.findall(template)]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(JS).as_posix())
def test_no_script_says_anything_by_itself(path: Path) -> None:
    templates, strings = read(path.read_text())
    drawn = [text for template in templates if "<" in template for text in texts(template)]
    spelled = [text for text in strings if _SENTENCE.match(text)]
    assert [text for text in drawn + spelled if text not in NAMES] == []


def test_what_a_script_says_by_itself_is_found() -> None:
    source = (
        'const a = html`<p class="x" title="Look here">${b ? html`<b>Saved</b>` : "Nothing there."} ${n}</p>`; // It is'
    )
    templates, strings = read(source)
    assert sorted(text for template in templates for text in texts(template)) == ["Look here", "Saved"]
    assert [text for text in strings if _SENTENCE.match(text)] == ["Nothing there."]


@pytest.mark.parametrize("part", ["", "admin-"])
def test_each_language_says_the_same(part: str) -> None:
    english, portuguese = words("en", part), words("pt", part)
    assert set(english) == set(portuguese)
    for key, text in english.items():
        asked = {name: text.count(f"{{{name}}}") > 0 for name in re.findall(r"\{(\w+)\}", text)}
        assert set(re.findall(r"\{(\w+)\}", portuguese[key])) == set(asked), key
        assert text.count("|") == portuguese[key].count("|"), key


def test_a_file_of_messages_is_read_whole() -> None:
    for path in (JS / "messages").iterdir():
        lines = [line for line in path.read_text().splitlines() if line.startswith("  ")]
        assert len(pages.messages(path.read_bytes())) == len(lines), path.name


def test_each_message_that_is_asked_for_is_there_and_each_that_is_there_is_asked_for() -> None:
    there = words("en") | words("en", "admin-")
    source = "\n".join(path.read_text() for path in SCRIPTS) + (JS.parent / "shell.html").read_text()
    asked = set(re.findall(r"""\bt\(\s*"([\w.-]+)\"""", source))
    assert asked - set(there) == set()
    begun = tuple(
        set(re.findall(r"`([\w-]+\.)\$\{", source))
        | {f"{group}." for group in re.findall(r"""tWord\("([\w-]+)\"""", source)}
    )
    named = set(re.findall(r"""["{]([\w.-]+)["}]""", source))
    forgotten = [key for key in there if key not in named and not key.startswith((*begun, "state.", "payment."))]
    assert forgotten == []


@pytest.mark.parametrize("status", Status)
def test_each_state_of_a_subscription_has_a_name_and_an_explanation(status: Status) -> None:
    there = words("en")
    assert f"state.{status}" in there
    assert f"state-words.{status}" in there
