"""What is wrong with a configuration: all of it at once, each with its place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from gateway.settings.places import Place

_BARE = 4
"""Hidden text this long is removed wherever it stands; shorter text only where it is quoted."""


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One thing to repair. ``key`` is a path such as ``rules[3].weight``, empty if the file as a whole is meant."""

    place: Place
    key: str
    message: str
    nearest: str | None = None

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest is not None else ""
        return ": ".join(part for part in (str(self.place), self.key, self.message + hint) if part)


class SettingsErrors(Exception):  # noqa: N818  (it carries many)
    """The configuration cannot be used. ``problems`` has every reason, in the order of the files.

    ``digests``: the files that were read, or looked for: a change in one of them may be the repair.
    """

    def __init__(self, problems: Sequence[SettingsProblem], digests: Mapping[str, str] | None = None) -> None:
        self.problems = tuple(problems)
        self.digests = dict(digests or {})
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    choices = sorted(set(known))
    folded = {choice.lower().replace("-", "_"): choice for choice in choices}
    found = get_close_matches(word.lower().replace("-", "_"), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def scrubbed(text: str, hidden: Iterable[str]) -> str:
    """``text`` without any value that came from a variable or a file."""
    for value in sorted(set(hidden), key=len, reverse=True):
        if len(value) >= _BARE:
            text = text.replace(value, "***")
        elif value:
            text = text.replace(f"'{value}'", "'***'").replace(f"`{value}`", "`***`")
    return text
