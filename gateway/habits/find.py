"""From answers to a profile: what an upstream's router makes of each spelling."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from gateway.core.profile import PROFILES, Profile
from gateway.habits.likeness import Answer, Eye, bluntest_eye
from gateway.habits.questions import Habit, Path, Question, questions, split, strangers
from gateway.habits.site import Site

_CONTROL_EVERY = 8
_REDIRECTS = range(300, 400)
_NEEDED: tuple[Habit, ...] = ("case", "decoding", "encoded slash", "double slash")
"""What not every path can show."""

Verdict = Literal["same", "missing", "redirect", "other"]
"""Answered like the path itself, like a path that is not there, by a redirect, or in another way."""


class CannotTell(Exception):  # noqa: N818  (said to a person)
    """The answers do not show what reaches the path and what does not."""


class Evidence(NamedTuple):
    """One question and its answer."""

    habit: Habit
    spelling: str
    status: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out.

    ``unknown``: habits that this path cannot show; for them ``profile`` has what is safest. ``dangers``: sentences
    about spellings that reach the path and that no profile describes.
    """

    profile: Profile
    evidence: tuple[Evidence, ...]
    unknown: tuple[Habit, ...]
    dangers: tuple[str, ...]


def find(site: Site) -> Found:
    """Ask ``site`` about its path. Raises ``CannotTell`` or ``Unreachable``."""
    path, nonce = split(site.path), f"wb{secrets.token_hex(6)}"
    if not path.segments:
        raise CannotTell("The path / has no spelling to vary. Give a path that your API answers, such as /v1/models.")
    known: list[Answer] = [(site.path, site.get(site.path))]
    if known[0][1].status == 0:
        raise CannotTell(f"GET {site.path} was not answered. Give a path that is, perhaps with --header.")
    odd = [(question, (question.spelling, site.get(question.spelling))) for question in strangers(path, nonce)]
    asked: list[tuple[Question, Answer]] = []
    for number, question in enumerate(questions(path, nonce)):
        asked.append((question, (question.spelling, site.get(question.spelling))))
        if number % _CONTROL_EVERY == 0:
            known.append((site.path, site.get(site.path)))
    eye = bluntest_eye(known, [answer for _, answer in odd])
    if eye is None:
        raise CannotTell(_why(site.path, {seen.status for _, seen in known}))
    return _judged(path, _Judge(eye, known[0], odd), asked)


def _why(path: str, statuses: set[int]) -> str:
    if len(statuses) > 1:
        listed = ", ".join(map(str, sorted(statuses)))
        return f"GET {path} is not answered in one way ({listed}). Give a path that is, or try again later."
    return (
        f"GET {path} and paths that nobody knows are answered alike. Give a path that is not; "
        "--header 'Authorization: …' may help."
    )


class _Judge:
    """Knows the answer that matters, and which segments are literal."""

    def __init__(self, eye: Eye, known: Answer, odd: list[tuple[Question, Answer]]) -> None:
        self._eye, self._known = eye, eye(known)
        unlike = [(question, answer) for question, answer in odd if eye(answer) != self._known]
        self._missing = {eye(answer) for _, answer in unlike}
        self._literal = frozenset(at for question, _ in unlike for at in question.segments)

    def counts(self, question: Question) -> bool:
        """Whether the answer can show anything: parameters take every spelling."""
        return not question.segments or not self._literal.isdisjoint(question.segments)

    def verdict(self, answer: Answer) -> Verdict:
        look = self._eye(answer)
        if look == self._known:
            return "same"
        if answer[1].status in _REDIRECTS:
            return "redirect"
        return "missing" if look in self._missing else "other"


def _judged(path: Path, judge: _Judge, asked: Iterable[tuple[Question, Answer]]) -> Found:
    evidence = tuple(
        Evidence(question.habit, question.spelling, answer[1].status, judge.verdict(answer))
        for question, answer in asked
        if judge.counts(question)
    )
    seen: dict[Habit, set[Verdict]] = {}
    for one in evidence:
        seen.setdefault(one.habit, set()).add(one.verdict)
    unknown = tuple(habit for habit in _NEEDED if habit not in seen and not _settled(habit, seen))
    return Found(_profile(seen), evidence, unknown, tuple(_dangers(path, seen)))


def _settled(habit: Habit, seen: Mapping[Habit, set[Verdict]]) -> bool:
    """Where nothing is decoded, an encoded slash is no question."""
    return habit == "encoded slash" and "decoding" in seen and "same" not in seen["decoding"]


def _profile(seen: Mapping[Habit, set[Verdict]]) -> Profile:
    """The habits as a profile, near to a named one. What was not seen becomes what refuses or merges more."""

    def same(habit: Habit, *, unseen: bool) -> bool:
        return "same" in seen[habit] if habit in seen else unseen

    decodes = same("decoding", unseen=True)
    odd: tuple[Habit, ...] = ("double slash", "dot segments", "backslash")
    # Data only where nothing is decoded and the router really looked for such a path.
    data = not decodes and all(seen.get(habit) == {"missing"} for habit in odd)
    found = Profile(
        "",
        decode=("path" if same("encoded slash", unseen=False) else "segments") if decodes else "none",
        odd_segments="data" if data else "refuse",
        case="insensitive" if same("case", unseen=True) else "sensitive",
        trailing_slash="dropped" if same("trailing slash", unseen=True) else "significant",
        matrix_params="dropped" if same("matrix parameters", unseen=True) else "data",
    )
    name = min(PROFILES, key=lambda name: len(differences(found, PROFILES[name])))
    return replace(found, name=name)


def differences(profile: Profile, named: Profile) -> dict[str, str]:
    """The options in which ``profile`` is not ``named``."""
    options = ("decode", "odd_segments", "case", "trailing_slash", "matrix_params")
    return {
        option: str(getattr(profile, option))
        for option in options
        if getattr(profile, option) != getattr(named, option)
    }


def _dangers(path: Path, seen: Mapping[Habit, set[Verdict]]) -> Iterable[str]:
    if "same" in seen.get("decoding twice", ()):
        yield "The router decodes twice (%2541 is A), which no profile describes: refuse %25 in front of it."
    if "same" in seen.get("cut at %00", ()):
        yield "The router cuts at %00, which no profile describes: refuse %00 in front of it."
    if "same" in seen.get("suffix", ()):
        yield f"{path}.json is answered like {path}: rules need both, or a `*` for the last segment."
