"""The image cannot be built here, so the Dockerfile is read: does it keep what the docs promise?"""

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Instruction(NamedTuple):
    word: str
    rest: str


def instructions() -> list[Instruction]:
    """The Dockerfile's instructions in order, continuation lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Instruction(*line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for instruction in instructions():
        if instruction.word == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def last_stage(word: str) -> list[str]:
    return [instruction.rest for instruction in stages()[-1] if instruction.word == word]


def copied() -> list[str]:
    """What the image takes from the checkout."""
    own = [one.rest for one in instructions() if one.word in {"COPY", "ADD"} and "--from" not in one.rest]
    return [source for rest in own for source in rest.split()[:-1]]


def test_the_image_is_built_in_stages_and_the_last_one_builds_nothing() -> None:
    assert len(stages()) >= 2
    assert not [run for run in last_stage("RUN") if "pip" in run]
    assert all(re.match(r"--from=build ", copy) for copy in last_stage("COPY"))


def test_the_gateway_does_not_run_as_root() -> None:
    *_, user = last_stage("USER")
    assert user.split(":")[0] not in {"root", "0"}
    assert any(f"useradd --system --uid 10001 --user-group --no-create-home {user}" in run for run in last_stage("RUN"))
    words = [instruction.word for instruction in stages()[-1]]
    assert "RUN" not in words[words.index("USER") :]


def test_the_volume_belongs_to_that_user_and_is_where_relative_paths_lead() -> None:
    assert last_stage("VOLUME") == ["/data"]
    assert last_stage("WORKDIR") == ["/data"]
    assert any("--owner=weighbridge" in run and run.endswith("/data") for run in last_stage("RUN"))


def test_the_container_is_asked_whether_it_lives() -> None:
    (check,) = last_stage("HEALTHCHECK")
    assert json.loads(check.split("CMD ", 1)[1]) == [
        "weighbridge",
        "health",
        "--url",
        "http://127.0.0.1:8080/-/health/live",
    ]
    assert last_stage("EXPOSE") == ["8080"]


def test_the_container_serves_the_mounted_configuration_and_hears_signals() -> None:
    # The exec form, or a shell would be process 1 and swallow SIGTERM.
    (entry,), (command,) = last_stage("ENTRYPOINT"), last_stage("CMD")
    assert json.loads(entry) + json.loads(command) == [
        "weighbridge",
        "serve",
        "--config",
        "/etc/weighbridge/gateway.yaml",
    ]


def test_the_image_holds_no_secret() -> None:
    for instruction in instructions():
        if instruction.word in {"ARG", "ENV", "LABEL"}:
            assert not re.search(r"secret|token|passw|api_?key|credential", instruction.rest, re.IGNORECASE)


def test_no_host_is_named() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"https?://([^/:\s]+)", text)) <= {"127.0.0.1"}
    assert "index" not in text
    for instruction in instructions():
        if instruction.word == "FROM":
            assert "/" not in instruction.rest


def test_what_is_installed_is_locked() -> None:
    installs = [part for one in instructions() for part in one.rest.split("&&") if re.search(r"pip .*install", part)]
    assert installs
    for install in installs:
        assert "--require-hashes" in install or ("--no-deps" in install and "dist/*.whl" in install)


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_is_there_and_let_through(source: str) -> None:
    assert (ROOT / source).exists()
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert any(fnmatch(source, rule[1:]) for rule in rules if rule.startswith("!"))


def test_the_image_fetches_the_libraries_of_the_pages_before_it_builds_the_wheel() -> None:
    runs = [instruction.rest for instruction in stages()[0] if instruction.word == "RUN"]
    (fetch,) = [at for at, run in enumerate(runs) if "admin_ui/libraries.py" in run]
    (build,) = [at for at, run in enumerate(runs) if "-m build" in run]
    assert fetch < build
