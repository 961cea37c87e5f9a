"""Configurations in a folder of their own."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.settings.load import load
from gateway.settings.models import Settings
from gateway.settings.problems import SettingsErrors

UPSTREAM = 'upstream: {url: "http://127.0.0.1:9000"}\n'

Write = Callable[..., Path]
Load = Callable[..., Settings]
Refuse = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file and say where it is."""

    def _write(text: str | bytes, name: str = "gateway.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


@pytest.fixture
def loaded(write: Write) -> Load:
    """Load a text, to which an upstream is added if it has none."""

    def _load(text: str, env: Mapping[str, str] | None = None) -> Settings:
        return load(write(text if "upstream:" in text else UPSTREAM + text), env or {})

    return _load


@pytest.fixture
def refused(write: Write) -> Refuse:
    """What is said against a text, without the file's name; the upstream is added at its end."""

    def _refuse(text: str | bytes, env: Mapping[str, str] | None = None) -> list[str]:
        path = write(text if isinstance(text, bytes) else f"{text}\n{UPSTREAM}")
        with pytest.raises(SettingsErrors) as caught:
            load(path, env or {})
        return [str(problem).removeprefix(f"{path}:").removeprefix(" ") for problem in caught.value.problems]

    return _refuse
