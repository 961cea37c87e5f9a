"""Files and environment → ``Settings``, or every problem at once."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway.settings import certificates
from gateway.settings.admins import VARIABLE, with_password
from gateway.settings.check import validated
from gateway.settings.files import Files
from gateway.settings.include import Gathering
from gateway.settings.interpolate import Interpolation
from gateway.settings.models import Settings
from gateway.settings.places import Place, Source
from gateway.settings.problems import SettingsErrors, SettingsProblem, scrubbed


def load(path: str | Path, env: Mapping[str, str]) -> Settings:
    """Read ``path`` and all it includes, with variables from ``env``. Raises ``SettingsErrors`` with all problems.

    No error and no ``repr`` of the result contains a value that came from a variable or a file.
    """
    files = Files()
    interpolation = Interpolation(env, files)
    gathering = Gathering(interpolation, files)
    root = gathering.gather(Path(path))
    problems = [*gathering.problems, *interpolation.problems]
    if root is not None:
        root = with_password(root, env)
        interpolation.hidden.add(env.get(VARIABLE) or "")
        outcome = validated(root, whole=not gathering.fatal)
        if isinstance(outcome, Settings):
            outcome._source = Source(files.digests, root)  # noqa: SLF001  (only the loader knows)
            problems += certificates.problems(outcome, files)
            if not problems:
                return outcome
        else:
            at_fault = {(problem.place, problem.key) for problem in problems}
            problems += [problem for problem in outcome if (problem.place, problem.key) not in at_fault]
    ordered = sorted(problems, key=lambda problem: _position(problem.place, list(files.digests)))
    raise SettingsErrors([_clean(problem, interpolation.hidden) for problem in ordered], files.digests)


def _position(place: Place, files: list[str]) -> tuple[int, int, int]:
    absolute = os.path.abspath(place.file)  # noqa: PTH100  (as ``Files`` writes it)
    return files.index(absolute) if absolute in files else -1, place.line, place.column


def _clean(problem: SettingsProblem, hidden: set[str]) -> SettingsProblem:
    meant = None if problem.nearest is None else scrubbed(problem.nearest, hidden)
    return replace(problem, message=scrubbed(problem.message, hidden), nearest=meant)
