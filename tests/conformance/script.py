"""Cases of ``tests/cases/conformance``, read. The format is described there."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

CASES = Path(__file__).parents[1] / "cases" / "conformance"

_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|([rnt0\\{]))")
_LETTERS = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", "{": b"{"}
_REPEATED = re.compile(r"(?<!\\)\{(.+?)\*(\d+)\}")


@dataclass(frozen=True, slots=True)
class Step:
    """``verb``: what happens. ``lines``: its block as it is written. ``at``: the line of the file."""

    verb: str
    at: int
    lines: tuple[str, ...] = ()

    def with_(self, word: str, meaning: str) -> "Step":
        return Step(self.verb, self.at, tuple(line.replace(word, meaning) for line in self.lines))


@dataclass(slots=True)
class Case:
    """``name`` says what must happen, ``why`` where that stands."""

    name: str
    file: str
    at: int
    why: str = ""
    steps: list[Step] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.file}: {self.name}"


class NotACaseError(ValueError):
    """A line of a file that is none."""


def cases() -> list[Case]:
    """All of them, in the order of the files; those with ``for each`` once for each line of its block."""
    written = [case for path in sorted(CASES.glob("*.txt")) for case in read(path.read_text("utf-8"), path.stem)]
    return [each for case in written for each in _spread(case)]


def _spread(case: Case) -> Iterator[Case]:
    if case.steps and case.steps[0].verb == "for each":
        varied, *steps = case.steps
        for line in varied.lines:
            yield replace(case, name=f"{case.name}: {line}", steps=[step.with_("{each}", line) for step in steps])
    else:
        yield case


def read(text: str, file: str) -> Iterator[Case]:
    """The cases of one file."""
    case: Case | None = None
    for at, line in enumerate(text.split("\n"), 1):
        if line.startswith("== "):
            if case is not None:
                yield case
            case = Case(line[3:].strip(), file, at)
        elif line.startswith("#") or not line.strip():
            if case is not None and not case.steps:
                case.why = f"{case.why} {line.lstrip('# ')}".strip()
        elif case is None:
            raise NotACaseError(f"{file}:{at}: a step before the first case: {line}")
        elif line.startswith("  |"):
            if not case.steps:
                raise NotACaseError(f"{file}:{at}: a block without a step: {line}")
            last = case.steps[-1]
            case.steps[-1] = Step(last.verb, last.at, (*last.lines, line[4:] if line[3:4] == " " else line[3:]))
        else:
            case.steps.append(Step(line.strip(), at))
    if case is not None:
        yield case


def wire(lines: Sequence[str], words: Mapping[str, str]) -> bytes:
    """A block as bytes: each line ends with CRLF, unless its last character is a lone backslash."""
    return b"".join(spelled(line[:-1], words) if _unended(line) else spelled(line, words) + b"\r\n" for line in lines)


def _unended(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def spelled(text: str, words: Mapping[str, str]) -> bytes:
    r"""``{word}`` by what it stands for, ``{a*3}`` by ``aaa``, ``\r \n \t \0 \xNN \\`` by their bytes."""
    for word, meaning in words.items():
        text = text.replace("{" + word + "}", meaning)
    text = _REPEATED.sub(lambda found: found[1] * int(found[2]), text)
    parts, end = [], 0
    for found in _ESCAPE.finditer(text):
        parts.append(text[end : found.start()].encode())
        parts.append(bytes.fromhex(found[1]) if found[1] else _LETTERS[found[2]])
        end = found.end()
    return b"".join([*parts, text[end:].encode()])
