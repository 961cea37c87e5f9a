"""Path patterns: literals, ``{param}`` or ``:param``, ``*`` and ``**``, read by the same profile as request targets."""

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple
from urllib.parse import unquote

from gateway.core.problems import BadRequest
from gateway.core.profile import Profile
from gateway.core.target import canonical_target, under_prefixes

MAX_SEGMENTS = 64
"""A pattern has at most this many segments: the search goes as deep as the longest pattern."""


class Kind(IntEnum):
    """What stands at one place of a pattern. Patterns are compared from the left, place by place, in this order."""

    LITERAL = 0
    PARAM = 1
    """One segment that is not empty: a router finds no parameter in ``/a/`` and ``/a//b`` (decisions/0007)."""
    STAR = 2
    """One segment that is not empty; as the last of a pattern, one or more of any kind."""
    END = 3
    """Nothing more: ``/a`` before ``/a/**``, and ``/a/*/b`` before ``/a/*``, whose star may be several segments."""
    REST = 4
    """Zero or more segments."""


class Segment(NamedTuple):
    """``text``: the canonical literal or the parameter's name."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern. ``rank``: the kinds, ended by ``END``; the smaller one is asked first.

    ``shape``: patterns that differ only in the names of parameters have the same. ``params``: names and the index of
    their segment in the pattern. ``elastic``: a segment's index in a path is not its index in the pattern.
    """

    segments: tuple[Segment, ...]
    rank: tuple[Kind, ...] = field(init=False)
    shape: tuple[Segment, ...] = field(init=False)
    params: tuple[tuple[str, int], ...] = field(init=False)
    elastic: bool = field(init=False)

    def __post_init__(self) -> None:
        kinds = [segment.kind for segment in self.segments]
        nameless = [Segment(kind, text if kind is Kind.LITERAL else "") for kind, text in self.segments]
        params = [(text, index) for index, (kind, text) in enumerate(self.segments) if kind is Kind.PARAM]
        for name, value in (
            ("rank", (*kinds, Kind.END)),
            ("shape", tuple(nameless)),
            ("params", tuple(params)),
            ("elastic", Kind.REST in kinds),
        ):
            object.__setattr__(self, name, value)

    def is_tail(self, index: int) -> bool:
        """Whether the segment is a ``*`` that takes all that is left, at least one segment."""
        return index == len(self.segments) - 1 and self.segments[index].kind is Kind.STAR

    def values(self, path: tuple[str, ...]) -> dict[str, str]:
        """The parameters' values in a path that matches."""
        if not self.elastic:
            return {name: path[index] for name, index in self.params}
        starts = self.place(path) or ()
        return {name: path[starts[index]] for name, index in self.params}

    def place(self, path: tuple[str, ...]) -> tuple[int, ...] | None:
        """Where in ``path`` each segment of the pattern begins, leftmost first; ``None`` if it does not match."""
        fits = self._fits(path)
        if not fits[0] & 1:
            return None
        starts, at = [], 0
        for index, (kind, _) in enumerate(self.segments):
            starts.append(at)
            at += _lowest(fits[index + 1] >> at) if kind is Kind.REST else 1
        return tuple(starts)

    def _fits(self, path: tuple[str, ...]) -> list[int]:
        """For each index, the positions (as bits) from which the pattern's rest matches all of the path's rest."""
        fits, some = [0] * len(self.segments) + [1 << len(path)], filled(path)
        for index in range(len(self.segments) - 1, -1, -1):
            kind, text = self.segments[index]
            after = fits[index + 1]
            if kind is Kind.REST:
                fits[index] = (1 << after.bit_length()) - 1
            elif kind is Kind.LITERAL:
                fits[index] = sum(1 << at for at, name in enumerate(path) if name == text) & after >> 1
            elif self.is_tail(index):
                fits[index] = after - 1
            else:
                fits[index] = after >> 1 & some
        return fits


def filled(path: tuple[str, ...]) -> int:
    """The positions (as bits) that a parameter can take; -1 for all of them."""
    return sum(1 << at for at, name in enumerate(path) if name) if "" in path else -1


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


class PatternError(ValueError):
    """A pattern that cannot be used; the message is a sentence."""


_PARAM = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}|:([A-Za-z_][A-Za-z0-9_-]*)")
_WILDCARDS = {"*": Kind.STAR, "**": Kind.REST}


def parse_pattern(text: str, profile: Profile, own_prefixes: tuple[str, ...] = ()) -> Pattern:
    """Read a pattern as the profile reads a target: literals come out decoded and folded alike.

    A literal that looks like a wildcard is written percent-encoded (``%2A``, ``%3Aname``) where the profile decodes.
    ``PatternError``: bad syntax, a path that the profile refuses, or one that lies under the gateway's own prefixes.
    """
    if not text.startswith("/"):
        raise PatternError("a pattern starts with `/`.")
    if "?" in text:
        raise PatternError("a pattern is a path, queries are not matched; leave `?` and what follows out.")
    wildcards = [wildcard for piece in text[1:].split("/") if (wildcard := _wildcard(piece)) is not None]
    names = [name for kind, name in wildcards if kind is Kind.PARAM]
    for name in names:
        if names.count(name) > 1:
            raise PatternError(f"the parameter `{name}` is there twice; give each a name of its own.")
    segments = _canonical(text, wildcards, profile, own_prefixes)
    if len(segments) > MAX_SEGMENTS:
        raise PatternError(f"a pattern has at most {MAX_SEGMENTS} segments; use `**` for the rest of a long path.")
    return Pattern(segments)


def _wildcard(piece: str) -> Segment | None:
    if piece in _WILDCARDS:
        return Segment(_WILDCARDS[piece], "")
    if (param := _PARAM.fullmatch(piece)) is not None:
        return Segment(Kind.PARAM, param[1] or param[2])
    if piece.startswith(":") or any(mark in piece for mark in "*{}"):
        raise PatternError(
            f"`{piece}` is neither a literal nor a wildcard; `*`, `**`, `{{name}}` and `:name` take a whole segment."
        )
    return None


def _canonical(
    text: str, wildcards: list[Segment], profile: Profile, own_prefixes: tuple[str, ...]
) -> tuple[Segment, ...]:
    """Canonicalise the whole pattern at once, as a path in which words of its own stand for the wildcards."""
    word = "w"
    while word in unquote(text).casefold():
        word += "w"
    stand_ins = {f"{word}{index}": wildcard for index, wildcard in enumerate(wildcards)}
    words = iter(stand_ins)
    path = "/".join(piece if _wildcard(piece) is None else next(words) for piece in text.split("/"))
    try:
        target = canonical_target("GET", path.encode(errors="surrogatepass"), profile)
    except BadRequest as refused:
        raise PatternError(f"no request can have this path, profile {profile.name} refuses it. {refused}") from None
    if under_prefixes(target, own_prefixes):
        raise PatternError("the path is the gateway's own and never forwarded; change the rule or `prefixes`.")
    return tuple(stand_ins.get(name, Segment(Kind.LITERAL, name)) for name in target.segments)
