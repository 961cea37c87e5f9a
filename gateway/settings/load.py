"""Files and environment → ``Settings``, or every problem at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.settings.check import validated
from gateway.settings.include import Gathering
from gateway.settings.interpolate import Interpolation
from gateway.settings.models import Settings
from gateway.settings.places import Source
from gateway.settings.problems import SettingsErrors, SettingsProblem, scrubbed


def load(path: str | Path, env: Mapping[str, str]) -> Settings:
    """Read ``path`` and all it includes, with variables from ``env``. Raises ``SettingsErrors`` with all problems.

    No error and no ``repr`` of the result contains a value that came from a variable or a file.
    """
    interpolation = Interpolation(env)
    gathering = Gathering(interpolation)
    root = gathering.gather(Path(path))
    problems = [*gathering.problems, *interpolation.problems]
    files = tuple(dict.fromkeys([*gathering.files, *interpolation.files]))
    if root is None or gathering.fatal:
        raise _errors(problems, gathering.files, interpolation.hidden)
    outcome = validated(root)
    if isinstance(outcome, Settings) and not problems:
        outcome._source = Source(files, root)  # noqa: SLF001  (the loader is the one who knows)
        return outcome
    if not isinstance(outcome, Settings):
        at_fault = {(problem.place, problem.key) for problem in problems}
        problems += [problem for problem in outcome if (problem.place, problem.key) not in at_fault]
    raise _errors(problems, gathering.files, interpolation.hidden)


def _errors(problems: Sequence[SettingsProblem], files: Sequence[str], hidden: set[str]) -> SettingsErrors:
    order = {str(Path(file).absolute()): index for index, file in enumerate(files)}

    def by_place(problem: SettingsProblem) -> tuple[int, int, int]:
        place = problem.place
        return order.get(str(Path(place.file).absolute()), -1), place.line, place.column

    return SettingsErrors([_clean(problem, hidden) for problem in sorted(problems, key=by_place)])


def _clean(problem: SettingsProblem, hidden: set[str]) -> SettingsProblem:
    meant = None if problem.nearest is None else scrubbed(problem.nearest, hidden)
    return replace(problem, message=scrubbed(problem.message, hidden), nearest=meant)
