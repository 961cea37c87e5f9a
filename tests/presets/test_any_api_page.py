"""``docs/any-api.md`` names settings, commands and metrics that there are."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.assembly import build_snapshot, identity_config
from gateway.cli import main
from gateway.identity.authenticate import Authenticator
from gateway.metrics import INSTRUMENTS
from gateway.settings.keys import every_key
from gateway.settings.load import load
from gateway.settings.models import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "any-api.md").read_text()
KEYS = {key.path.replace("[]", "") for key in every_key()}
SECTIONS = {path.partition(".")[0] for path in KEYS if "." in path}
FIRST, *MORE = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(line)[1:]
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("weighbridge")
]
ENV = dict.fromkeys(("JWT_SECRET", "GATEWAY_SECRET", "UPSTREAM_KEY"), "a-secret-that-is-long-enough-for-anybody")


def loaded(folder: Path, block: str) -> Settings:
    """The page's first file, with the lines that ``block`` replaces; or ``block``, if it is a whole file."""
    given = yaml.safe_load(block)
    whole = given if "listen" in given else {**yaml.safe_load(FIRST), **given}
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    (folder / "partner.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    path = folder / "gateway.yaml"
    path.write_text(yaml.safe_dump(whole))
    return load(path, ENV)


@pytest.mark.parametrize("number", range(len(MORE) + 1))
def test_every_piece_of_yaml_is_a_configuration_that_works(tmp_path: Path, number: int) -> None:
    settings = loaded(tmp_path, (FIRST, *MORE)[number])
    Authenticator(identity_config(settings))
    assert build_snapshot(settings, 0).loaded_us == 0


def test_the_first_file_and_the_last_warn_of_nothing(tmp_path: Path) -> None:
    for block in (FIRST, MORE[-1]):
        assert loaded(tmp_path, block).warnings == []


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_every_command_that_is_named_is_one(argv: list[str]) -> None:
    command = main.commands[argv[0]]
    if argv[0] == "key":
        command = command.commands[argv[1]]  # type: ignore[attr-defined]
        argv = argv[1:]
    assert command.make_context(argv[0], argv[1:]).params


def test_every_setting_that_is_named_is_one() -> None:
    named = {word for word in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", PAGE) if word.partition(".")[0] in SECTIONS}
    assert len(named) >= 8
    assert named <= KEYS


def test_every_metric_that_is_named_is_one() -> None:
    named = set(re.findall(r"`(weighbridge_\w+)`", PAGE))
    assert named
    assert named <= {f"weighbridge_{each.name}{'_total' if each.kind == 'counter' else ''}" for each in INSTRUMENTS}


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
