"""What keeps ``weighbridge serve`` from starting: each a sentence that says what, where, and the way out."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.e2e.served import PATIENCE_S, PROGRAM, configure, environment, served
from tests.e2e.world import PLANS, SECRET

UPSTREAM = "http://127.0.0.1:9"


def refused(folder: Path, **env: str) -> str:
    """Start, and see it end with exit code 1 and these words; nothing is left behind and no secret is told."""
    done = subprocess.run(
        [PROGRAM, "serve"],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, ""), done
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
    return done.stderr


def refused_here(folder: Path, **env: str) -> str:
    """The same without a process of its own, for what is found before there is anything to run."""
    done = CliRunner().invoke(
        main, ["serve", "--config", str(folder / "gateway.yaml")], env={"JWT_SECRET": SECRET, **env}
    )
    assert (done.exit_code, done.stdout) == (1, "")
    assert SECRET not in done.stderr
    return done.stderr


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("cascades: [user]", "gateway.yaml:8:1: cascades: unknown key; did you mean cascade?"),
        ("cors: {origin: x}", "gateway.yaml:8:8: cors.origin: unknown key; did you mean allow_origin?"),
        ("limits: {header_count: many}", "gateway.yaml:8:24: limits.header_count: must be a whole number"),
        ("cors: []", "gateway.yaml:8:7: cors: must be a mapping of keys"),
        ("buy_url: '${SHOP}'", "gateway.yaml:8:10: buy_url: the environment variable SHOP is not set"),
        ("identity: {jwt: {secret: ''}}", "identity.jwt.secret: must not be empty: anybody could forge a token"),
        ("plans: [{slug: a", "gateway.yaml:8:17: is no valid YAML"),
        ("include: [nowhere.yaml]", "gateway.yaml:8:11: include[0]: the file "),
    ],
    ids=["unknown", "nested", "type", "shape", "variable", "empty-secret", "yaml", "include"],
)
def test_a_wrong_configuration_is_refused_with_its_place_and_the_way_out(tmp_path: Path, yaml: str, said: str) -> None:
    configure(tmp_path, UPSTREAM, yaml)
    assert said in refused_here(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gateway.yaml"]


@pytest.mark.parametrize("secret", ["", "  "], ids=["empty", "blank"])
def test_an_empty_secret_in_the_environment_is_refused(tmp_path: Path, secret: str) -> None:
    configure(tmp_path, UPSTREAM, PLANS)
    said = refused_here(tmp_path, JWT_SECRET=secret)
    assert "gateway.yaml:4:17: identity.jwt.secret: must not be empty" in said


def test_everything_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    configure(tmp_path, UPSTREAM, "cascades: [user]\nerrors: loud\nbuy_url: '${SHOP}'\nlimits: {header_count: 1}")
    *problems, summary = refused(tmp_path).splitlines()
    assert [problem.split(": ")[1] for problem in problems] == ["cascades", "errors", "buy_url", "limits.header_count"]
    assert summary == "4 problems. Nothing was started."


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    assert "gateway.yaml: cannot be read: No such file or directory" in refused(tmp_path)


async def test_a_port_in_use_is_named_and_the_ledger_is_free_for_the_next_start(tmp_path: Path, taken: int) -> None:
    configure(tmp_path, UPSTREAM, f"{PLANS}listen: 127.0.0.1:{taken}")
    assert refused(tmp_path) == (
        f"Error: cannot listen on 127.0.0.1:{taken}: Address already in use; free the address or change `listen`\n"
    )
    configure(tmp_path, UPSTREAM, PLANS)
    async with served(tmp_path) as here:
        assert (await here.ask("/-/health/ready")).status == 200


def test_the_metrics_port_in_use_is_not_mistaken_for_the_main_one(tmp_path: Path, taken: int) -> None:
    configure(tmp_path, UPSTREAM, f"{PLANS}metrics: {{listen: '127.0.0.1:{taken}'}}")
    said = refused(tmp_path)
    assert f"cannot listen on 127.0.0.1:{taken}" in said
    assert "change `metrics.listen`" in said


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    configure(tmp_path, UPSTREAM, f"{PLANS}listen: 192.0.2.1:80")
    assert "cannot listen on 192.0.2.1:80: Cannot assign requested address" in refused(tmp_path)


def test_an_access_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    configure(tmp_path, UPSTREAM, f"{PLANS}log: {{access: {tmp_path}/nowhere/access.log}}")
    said = refused(tmp_path)
    assert f"cannot write {tmp_path}/nowhere/access.log: No such file or directory" in said
    assert "change `log.access`" in said
