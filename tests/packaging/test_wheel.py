"""What users install: built from the source archive, put into a clean environment, run from an empty directory."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import urllib.request
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from gateway.cli import main

ROOT = Path(__file__).parents[2]
SECRET = "packaging-test-" + "x" * 32
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Served = tuple["subprocess.Popen[str]", int]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    argv = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a new environment with the wheel in it; its dependencies are those of the tests' environment."""
    home = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    argv = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*argv, str(wheel)], check=True, capture_output=True)
    packages = home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # Added behind the environment's own packages, and without the .pth files there: the checkout stays out of sight.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


@pytest.fixture
def environment(installed: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "PYTEST"))}
    return kept | {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}", "JWT_SECRET": SECRET}


@pytest.fixture
def run(installed: Path, environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs a program of the new environment in an empty directory."""

    def call(*argv: str) -> "subprocess.CompletedProcess[str]":
        program = str(installed / argv[0])
        return subprocess.run(
            [program, *argv[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


def config(folder: Path, port: int = 0, *, more: str = "") -> Path:
    path = folder / "gateway.yaml"
    path.write_text(
        f"listen: 127.0.0.1:{port or 8080}\n"
        "upstream: {url: 'http://127.0.0.1:9'}\n"
        "identity: {jwt: {secret: '${JWT_SECRET}', algorithms: [HS256], user_claim: sub}}\n"
        f"include: ['preset:wacraft']\n{more}"
    )
    return path


def test_the_wheel_holds_the_package_with_its_presets_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"gateway", wheel.name.rsplit("-", 3)[0] + ".dist-info"}
    presets = {name for name in names if name.startswith("gateway/presets/")}
    shipped = {f"gateway/presets/config/{file.name}" for file in (ROOT / "config").glob("*.yaml")}
    pages = {name for name in presets if name.startswith("gateway/presets/admin_ui/")}
    assert presets - pages == shipped | {"gateway/presets/gateway.yaml"}
    static = ROOT / "admin_ui" / "static"
    assert pages == {f"gateway/presets/admin_ui/{file.relative_to(static)}" for file in files_below(static)}
    assert "gateway/presets/admin_ui/vendor/htm-preact.js" in pages
    assert any(name.endswith("licenses/LICENSE") for name in names)
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "gateway").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_there_is_no_wheel_without_the_libraries_of_the_pages(tmp_path: Path) -> None:
    copied = tmp_path / "checkout"
    shutil.copytree(ROOT, copied, ignore=shutil.ignore_patterns(".*", "vendor", "node_modules", "build", "tests"))
    argv = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(copied)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "admin_ui/static/vendor" in done.stdout + done.stderr
    assert not list(tmp_path.glob("*.whl"))


def test_the_shipped_default_configuration_is_the_documented_one(wheel: Path) -> None:
    assert ZipFile(wheel).read("gateway/presets/gateway.yaml") == (ROOT / "gateway.yaml").read_bytes()


def test_the_source_archive_has_what_its_makefile_needs(dist: Path) -> None:
    (found,) = dist.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"Makefile", "pyproject.toml", "requirements-dev.lock", "requirements.lock", "LICENSE", "README.md"}
    assert not [name for name in names if "node_modules" in name]
    assert names >= {"admin_ui/libraries.py", "admin_ui/package-lock.json", "admin_ui/static/vendor/htm-preact.js"}
    assert names >= {"gateway/cli/serving.py", "bench/__main__.py", "tests/packaging/test_wheel.py"}


def test_the_installed_package_is_not_the_checkout(run: Run, installed: Path) -> None:
    done = run("python", "-c", "import gateway; print(gateway.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installed.parent), done


def test_the_program_says_its_version(run: Run, wheel: Path) -> None:
    done = run("weighbridge", "--version")
    assert (done.returncode, done.stdout.split()[-1]) == (0, wheel.name.split("-")[1])


@pytest.mark.parametrize("command", ["", *main.commands])
def test_every_command_has_help(run: Run, command: str) -> None:
    done = run("weighbridge", *command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: weighbridge")


def test_the_wacraft_preset_needs_an_upstream_and_a_secret_only(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("upstream: {url: 'http://127.0.0.1:9'}\ninclude: ['preset:wacraft']\n")
    done = run("weighbridge", "explain", "POST", "/Message/WhatsApp/", "--json")
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert (told["rule"], told["weight"], told["pays"]) == ("POST /message/whatsapp", 5, ["workspace", "user"])
    assert "gateway/presets/config/wacraft.yaml" in told["origin"]


def test_check_finds_the_presets_in_the_wheel(run: Run, tmp_path: Path) -> None:
    config(tmp_path)
    done = run("weighbridge", "check", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["errors"] == []


def test_check_fails_with_file_line_and_nearest_key(run: Run, tmp_path: Path) -> None:
    config(tmp_path, more="cascades: [user]\n")
    done = run("weighbridge", "check")
    assert done.returncode == 1
    assert "gateway.yaml:5" in done.stderr
    assert "cascade" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_is_an_error_and_not_a_crash(run: Run) -> None:
    done = run("weighbridge", "serve")
    assert done.returncode not in {0, -signal.SIGABRT}
    assert "gateway.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def served(installed: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[Served]:
    """The installed gateway, listening."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config(tmp_path, port)
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [str(installed / "weighbridge"), "serve"], cwd=tmp_path, env=environment, stdout=log, stderr=log, text=True
        )
    try:
        _wait_for(process, port, tmp_path / "log")
        yield process, port
    finally:
        process.kill()
        process.wait()


def _wait_for(process: "subprocess.Popen[str]", port: int, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            try:
                process.wait(0.05)  # ends early if the program does
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    pytest.fail(f"nobody listens: {log.read_text()}")


def test_the_installed_gateway_serves_and_stops_cleanly(served: Served, run: Run, tmp_path: Path) -> None:
    process, port = served
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/health/live", timeout=10) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/billing", timeout=10) as answer:
        assert "/billing/assets/" in answer.read().decode()
    assert run("weighbridge", "health", "--url", f"http://127.0.0.1:{port}/-/health/live").returncode == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert run("weighbridge", "health", "--url", f"http://127.0.0.1:{port}/-/health/live").returncode == 1


def test_the_scripts_for_redis_are_in_the_wheel(wheel: Path) -> None:
    shipped = {name.rpartition("/")[2] for name in ZipFile(wheel).namelist() if name.endswith(".lua")}
    assert shipped == {path.name for path in (ROOT / "gateway" / "ledger" / "redis" / "lua").iterdir()}
    assert "acts.lua" in shipped
