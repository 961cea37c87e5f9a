"""Which messages of a client a rule weighs: by their text, by how they begin, or by members of their JSON.

An upstream may read more loosely than this says, and a spelling must not become a discount. So case and the white space
around do not count, a member that is there twice counts each time, and what is too long to be judged counts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Scalar = str | int | bool | None

JUDGED_BYTES = 64 * 1024
"""A message that is not judged by then counts as one that matches."""
_SPACE_AROUND = 1024
"""More white space than this around a text is not an honest message."""
_BLANK = " \t\r\n\v\f\0\ufeff"
_OBJECTS = "{["


@dataclass(frozen=True, slots=True)
class FrameMatch:
    """``texts``: the whole message is one of them. ``prefixes``: it begins with one. ``members``: name to values.

    Of the last, all have to be there in a JSON object, or in one of a list, each with one of its values. One of the
    three is given.
    """

    texts: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    members: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict, hash=False)
    most: int = field(init=False, compare=False, repr=False)
    """Bytes after which nothing more need be seen."""
    _looks: int = field(init=False, compare=False, repr=False)
    _texts: frozenset[str] = field(init=False, compare=False, repr=False)
    _prefixes: tuple[str, ...] = field(init=False, compare=False, repr=False)
    _members: Mapping[str, frozenset[tuple[type, Scalar]]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Fold once what is compared."""
        object.__setattr__(self, "_texts", frozenset(map(_folded, self.texts)))
        object.__setattr__(self, "_prefixes", tuple(prefix.lstrip(_BLANK).casefold() for prefix in self.prefixes))
        members = {_folded(name): frozenset(map(_typed, values)) for name, values in self.members.items()}
        object.__setattr__(self, "_members", members)
        longest = max((len(text.encode()) for text in (*self.texts, *self.prefixes)), default=0)
        object.__setattr__(self, "_looks", _SPACE_AROUND + 4 * longest)
        object.__setattr__(self, "most", JUDGED_BYTES if members else self._looks)

    def judge(self, begun: bytes, *, whole: bool) -> bool | None:
        """Whether a message that begins so (``whole``: that is so) is weighed; ``None``: more has to be seen.

        Once it is said, more of the message changes nothing.
        """
        too_long = len(begun) > self.most
        if whole and not too_long:
            return self._judge_whole(begun.decode(errors="replace").lstrip(_BLANK))
        said = _open_ended(begun[: self._looks].decode(errors="replace").lstrip(_BLANK))
        judged = self._judge_begun(said)
        return True if judged is None and too_long else judged

    def _judge_whole(self, said: str) -> bool:
        if self._members:
            return self._judge_members(said.rstrip(_BLANK))
        return _folded(said) in self._texts or said.casefold().startswith(self._prefixes)

    def _judge_begun(self, said: str) -> bool | None:
        if self._prefixes and said.casefold().startswith(self._prefixes):
            return True
        return None if self._is_open(said) else False

    def _is_open(self, said: str) -> bool:
        """Whether a message that begins so may be one of those that are weighed, and may be another."""
        if self._members:
            return said[:1] in _OBJECTS
        folded = said.casefold()
        if any(wanted.startswith(folded) for wanted in (*self._prefixes, *self._texts)):
            return True
        return any(folded.startswith(text) and not folded[len(text) :].strip(_BLANK) for text in self._texts)

    def _judge_members(self, said: str) -> bool:
        if not said or said[0] not in _OBJECTS:
            return False  # no upstream reads an object in it
        try:
            read = json.loads(said, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            return True
        return any(self._has_members(each) for each in (read if isinstance(read, list) else [read]))

    def _has_members(self, read: object) -> bool:
        if not isinstance(read, _Pairs):
            return False
        found: dict[str, set[tuple[type, Scalar]]] = {}
        for name, value in read.pairs:
            if value is None or isinstance(value, str | int | float):
                found.setdefault(_folded(name), set()).add(_typed(value))
        return all(values & found.get(name, set()) for name, values in self._members.items())


class _Pairs:
    """The members of an object as they came, doubles included."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Sequence[tuple[str, object]]) -> None:
        self.pairs = pairs


def _folded(text: str) -> str:
    """As texts are compared."""
    return text.strip(_BLANK).casefold()


def _open_ended(said: str) -> str:
    """Without what may be the first half of a character."""
    return said.rstrip("\ufffd")


def _typed(value: Scalar | float) -> tuple[type, Scalar]:
    """A value as it is compared: 1 is not true, 1.0 is 1."""
    if isinstance(value, str):
        return str, _folded(value)
    if isinstance(value, bool) or value is None:
        return type(value), value
    return int, value  # type: ignore[return-value]  # an equal number, as Python compares them
