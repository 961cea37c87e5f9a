"""``docs/wacraft.md`` names settings, commands, routes and numbers that there are."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from gateway.cli import main
from gateway.metrics import INSTRUMENTS
from gateway.settings import convert
from gateway.settings.keys import every_key
from gateway.settings.load import load
from gateway.settings.models import Settings
from tests.presets.wacraft import ROUTES, SECRET

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "wacraft.md").read_text()
KEYS = {key.path.replace("[]", "") for key in every_key()}
SECTIONS = {path.partition(".")[0] for path in KEYS if "." in path}
WHOLE, *MORE = [dedent(block) for block in re.findall(r"^( *```yaml\n.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)]


def body(block: str) -> str:
    return block.removeprefix("```yaml\n")


def loaded(folder: Path, *, more: str = "") -> Settings:
    path = folder / "gateway.yaml"
    path.write_text(body(WHOLE) + more)
    return load(path, {"JWT_SECRET": SECRET})


def commands() -> Iterator[list[str]]:
    for block in re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.split()[:1] == ["weighbridge"]:
                yield shlex.split(line)[1:]


def test_the_whole_file_is_one(tmp_path: Path) -> None:
    (warning,) = loaded(tmp_path).warnings
    assert "workspace.map.waba_id is empty" in warning


@pytest.mark.parametrize("number", range(len(MORE)))
def test_what_is_added_to_it_loads(tmp_path: Path, number: int) -> None:
    assert loaded(tmp_path, more=body(MORE[number])).source.files


def test_all_of_it_together_warns_of_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, more="".join(map(body, MORE))).warnings == []


def test_every_setting_that_is_named_is_one() -> None:
    named = {word for word in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", PAGE) if word.partition(".")[0] in SECTIONS}
    assert len(named) >= 4
    assert named <= KEYS
    assert {"strip_json", "trusted_proxies"} <= {key.rpartition(".")[2] for key in KEYS}


def test_every_metric_that_is_named_is_one() -> None:
    named = set(re.findall(r"`(weighbridge_\w+)`", PAGE))
    assert named
    assert named <= {f"weighbridge_{each.name}{'_total' if each.kind == 'counter' else ''}" for each in INSTRUMENTS}


@pytest.mark.parametrize("argv", list(commands()), ids=" ".join)
def test_every_command_that_is_named_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JWT_SECRET", SECRET)
    (tmp_path / "gateway.yaml").write_text(body(WHOLE))
    assert argv[0] in main.commands
    if argv[0] != "serve":
        assert told(argv, capsys)


def told(argv: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command says as JSON."""
    with pytest.raises(SystemExit) as ended:
        main([*argv, "--json"])
    assert ended.value.code == 0
    return json.loads(capsys.readouterr().out)


def test_the_budgets_are_those_of_the_preset(tmp_path: Path) -> None:
    plans = {plan.slug: plan for plan in loaded(tmp_path).plans}
    sign_in, free = plans["wacraft-sign-in"], plans["wacraft-free"]
    weights = {route.name: route.weight for route in ROUTES}
    logins, sign_ups = (
        (sign_in.throughput_limit or 0) // weights[name] for name in ("POST /user/oauth/token", "POST /auth/register")
    )
    minutes = (sign_in.window_seconds or 0) // 60
    assert (
        f"`wacraft-sign-in`: {logins} logins, or {sign_ups} sign-ups, and then as it refills within {minutes}" in PAGE
    )
    assert (free.throughput_limit, free.window_seconds) == (100, 60)
    assert "`wacraft-free`: 100 units a minute" in PAGE


def test_the_weights_that_are_named_are_those_of_the_list() -> None:
    weights = {route.name: route.weight for route in ROUTES}
    for name, weight in re.findall(r"`((?:GET|POST) /[\w/-]+)` \((\d+)", PAGE):
        assert weights[name] == int(weight)


def test_the_servers_limits_are_those_of_the_preset(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert f"the server reads {settings.upstream.head_bytes:d} bytes" in PAGE.replace("\n  ", " ")
    assert settings.workspace.probe.cache.seconds == 60
    assert convert.fallback(settings) is not None


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
