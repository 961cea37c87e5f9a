"""No error and no ``repr`` shows a value that came from the environment or a file."""

import copy
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.settings.load import load
from gateway.settings.models import Settings
from gateway.settings.problems import SettingsErrors
from tests.settings.conftest import Refuse

CASES = Path(__file__).parent.parent / "cases" / "settings"
EXAMPLE = yaml.safe_load((CASES / "issue.yaml").read_text())
EXAMPLE["rules"].append({"method": "GET", "path": "/a", "pays": ["user"], "refund_on": [500], "enforce": False})
EXAMPLE["identity"]["api_keys"] = [{"id": "k1", "hash": f"sha256:{'a' * 64}", "user": "u"}]
EXAMPLE["identity"]["peers"] = {"networks": ["10.0.0.0/8"]}
EXAMPLE["plans"].append({"slug": "x", "limits": [{"amount": 1, "window": "1s"}], "time_zone": "UTC"})

Path_ = tuple[str | int, ...]


def places(tree: object, path: Path_ = ()) -> Iterator[Path_]:
    yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from places(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from places(value, (*path, index))


def with_value(path: Path_, value: object) -> object:
    tree = copy.deepcopy(EXAMPLE)
    at = tree
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return tree


PLACES = [path for path in places(EXAMPLE) if path]
SECRETS = st.text("abcdefXYZ0123456789-_./+=", min_size=8, max_size=40).map(lambda text: f"Zq{text}")
JWT_SECRET = "the-secret-of-the-tokens-is-long-enough"
WAYS = {
    "variable": "${HIDDEN}",
    "default": "${NOT_SET:-HIDDEN}",
    "file": "${file:hidden}",
}


def refusal(path: Path, env: dict[str, str]) -> SettingsErrors | Settings:
    try:
        return load(path, env)
    except SettingsErrors as errors:
        return errors


@settings(max_examples=150, deadline=None)
@given(
    spot=st.sampled_from(PLACES),
    secret=SECRETS,
    way=st.sampled_from(sorted(WAYS)),
    around=st.sampled_from(["{}", "/{}", "http://{}", "sha256:{}", "preset:{}", "{}s", "10.0.0.0/{}", "{} and {}"]),
)
def test_a_value_of_the_environment_is_never_shown(spot: Path_, secret: str, way: str, around: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "hidden").write_text(secret)
        path = Path(folder, "gateway.yaml")
        written = WAYS[way].replace("HIDDEN}", f"{secret}}}") if way == "default" else WAYS[way]
        path.write_text(yaml.safe_dump(with_value(spot, around.replace("{}", written))))
        outcome = refusal(path, {"HIDDEN": secret, "JWT_SECRET": JWT_SECRET})
    if isinstance(outcome, SettingsErrors):
        told = "".join(traceback.format_exception(outcome)) + repr(outcome) + repr(outcome.problems)
        assert (outcome.__context__, outcome.__cause__) == (None, None)
        assert secret not in told
    else:
        told = repr(outcome) + str(outcome) + repr(outcome.source) + str(outcome.warnings)
        assert spot != ("identity", "jwt", "secret") or secret not in told
    assert JWT_SECRET not in told


@pytest.mark.parametrize(
    "wrong", ["identity: hunter2", "identity: {jwt: hunter2}", "identity: {jwt: {secret: [hunter2]}}"]
)
def test_a_secret_that_was_written_in_a_wrong_place_is_not_repeated(refused: Refuse, wrong: str) -> None:
    assert "hunter2" not in str(refused(wrong))


def test_a_short_value_is_hidden_where_it_is_quoted(refused: Refuse) -> None:
    said = refused('defaults: {user: "${PLAN}"}', {"PLAN": "x9"})
    assert said == ["1:18: defaults.user: there is no plan '***'"]
