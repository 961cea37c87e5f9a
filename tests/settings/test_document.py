"""``gateway.yaml`` and ``docs/settings.md`` say what the models say."""

import re
from pathlib import Path

import pytest

from gateway.settings.base import Section
from gateway.settings.document import settings_page
from gateway.settings.include import presets, shipped_file
from gateway.settings.keys import Key, every_key
from gateway.settings.load import load
from gateway.settings.models import Settings
from gateway.settings.places import descend
from gateway.settings.reload import needs_restart

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "gateway.yaml"
KEYS = list(every_key())
PLAIN = [key for key in KEYS if "[]" not in key.path]
ENV = {"JWT_SECRET": "0123456789abcdef0123456789abcdef"}
UNLIKE_THE_DEFAULT = {"upstream", "upstream.url", "identity.jwt", "identity.jwt.secret", "defaults.user", "plans"}
"""Where a first file needs more than a default: each is marked as such in the file."""
ONLY_IN_COMMENTS = {"identity.peers", "tls", "proxy_protocol", "payments.stripe"}


@pytest.fixture(scope="module")
def shipped() -> Settings:
    return load(SHIPPED, ENV)


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), "python -m gateway.settings.document"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_key_says_what_it_is_for(key: Key) -> None:
    assert key.field.description is not None
    assert re.search(r"[.?]$", key.field.description)


def test_the_shipped_file_needs_only_a_secret_and_warns_of_nothing(shipped: Settings) -> None:
    assert shipped_file() == SHIPPED
    assert shipped.warnings == []


@pytest.mark.parametrize("key", PLAIN, ids=lambda key: key.path)
def test_the_shipped_file_shows_every_key_with_its_default(key: Key, shipped: Settings) -> None:
    steps = key.path.split(".")
    if any(key.path.startswith(f"{parent}.") for parent in ONLY_IN_COMMENTS):
        assert re.search(rf"^(?:  )?# {steps[-1]}: ", SHIPPED.read_text(), re.MULTILINE)
        return
    _, missing = descend(shipped.source.root, steps)
    assert not missing, f"{key.path} is not shown"
    value: object = shipped
    for step in steps:
        value = getattr(value, step)
    if key.path not in UNLIKE_THE_DEFAULT and not (isinstance(value, Section) and holds_exception(key.path)):
        assert value == key.field.get_default()


def holds_exception(path: str) -> bool:
    return any(exception.startswith(f"{path}.") for exception in UNLIKE_THE_DEFAULT)


@pytest.mark.parametrize("key", [key for key in KEYS if "[]" in key.path], ids=lambda key: key.path)
def test_the_shipped_file_shows_every_key_of_a_list(key: Key) -> None:
    assert re.search(rf"\b{key.path.rpartition('.')[2]}: |{key.path.rpartition('.')[2]}, ", SHIPPED.read_text())


@pytest.mark.parametrize("key", [key for key in KEYS if needs_restart(key.field)], ids=lambda key: key.path)
def test_the_shipped_file_marks_what_needs_a_restart(key: Key, shipped: Settings) -> None:
    place = shipped.source.place(*key.path.split("."))
    section = shipped.source.place(key.path.split(".")[0])
    lines = SHIPPED.read_text().splitlines()
    assert "(restart)" in lines[place.line - 1] + lines[section.line - 2]


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_loads(name: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(f'upstream: {{url: "http://127.0.0.1:9000"}}\ninclude: ["preset:{name}"]\n')
    assert load(path, ENV).plans or load(path, ENV).rules
