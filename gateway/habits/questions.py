"""Other spellings of a path, and what it means if one of them is answered like the path itself."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Habit = Literal[
    "case",
    "trailing slash",
    "decoding",
    "encoded slash",
    "double slash",
    "dot segments",
    "backslash",
    "matrix parameters",
    "decoding twice",
    "cut at %00",
    "suffix",
]


class Question(NamedTuple):
    """``spelling``: the path that is asked for. ``segments``: which ones it respells; empty: none of them."""

    habit: Habit
    spelling: str
    segments: tuple[int, ...] = ()


class Path(NamedTuple):
    """A path as its segments. ``/a/`` ends in a slash."""

    segments: tuple[str, ...]
    slash: bool

    def __str__(self) -> str:
        return joined(self.segments, slash=self.slash)


def split(path: str) -> Path:
    """The segments of ``path``, without empty ones."""
    return Path(tuple(segment for segment in path.split("/") if segment), path.endswith("/"))


def joined(segments: Sequence[str], *, slash: bool) -> str:
    """The path of these segments."""
    return "/" + "/".join(segments) + ("/" if slash and segments else "")


def strangers(path: Path, nonce: str) -> Iterator[Question]:
    """The path with one segment that nobody knows: tells literal segments from parameters."""
    for at in range(len(path.segments)):
        yield Question("case", _with(path, at, nonce), (at,))


def questions(path: Path, nonce: str) -> Iterator[Question]:
    """Everything that is asked."""
    plain = path._replace(slash=False)
    yield Question("trailing slash", str(plain) if path.slash else f"{plain}/")
    yield Question("trailing slash", f"{plain}//")
    for at, segment in enumerate(path.segments):
        yield from _of_segment(path, at, segment)
    for at in range(1, len(path.segments)):
        yield from _of_joint(path, at)
    for dots in ((".",), (nonce, ".."), ("%2e",), (nonce, "%2e%2e"), (nonce, ".%2E")):
        yield Question("dot segments", joined((*dots, *path.segments), slash=path.slash))
    yield Question("suffix", _with(path, len(path.segments) - 1, f"{path.segments[-1]}.json"))


def _of_segment(path: Path, at: int, segment: str) -> Iterator[Question]:
    swapped = segment.swapcase()
    if swapped != segment and "%" not in segment:
        yield Question("case", _with(path, at, swapped), (at,))
    letter = next((place for place, char in enumerate(segment) if char.isascii() and char.isalnum()), None)
    if letter is not None and "%" not in segment:
        before, code, after = segment[:letter], f"{ord(segment[letter]):02X}", segment[letter + 1 :]
        yield Question("decoding", _with(path, at, f"{before}%{code}{after}"), (at,))
        yield Question("decoding twice", _with(path, at, f"{before}%25{code}{after}"), (at,))
    for parameter in (";", ";a=1", "%3Ba=1"):
        yield Question("matrix parameters", _with(path, at, segment + parameter), (at,))
    yield Question("cut at %00", _with(path, at, f"{segment}%00x"), (at,))


def _of_joint(path: Path, at: int) -> Iterator[Question]:
    head, tail = path.segments[:at], path.segments[at:]
    both: tuple[tuple[Habit, str], ...] = (
        ("encoded slash", "%2F"),
        ("double slash", "//"),
        ("backslash", "\\"),
        ("backslash", "%5C"),
    )
    for habit, between in both:
        pieces = (*head[:-1], f"{head[-1]}{between}{tail[0]}", *tail[1:])
        yield Question(habit, joined(pieces, slash=path.slash), (at - 1, at))
    yield Question("dot segments", joined((*head, ".", *tail), slash=path.slash), (at - 1, at))


def _with(path: Path, at: int, segment: str) -> str:
    return joined((*path.segments[:at], segment, *path.segments[at + 1 :]), slash=path.slash)
