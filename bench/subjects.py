"""What is measured, and the API behind it: how each is started, and what it needs that may be missing."""

import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bench import upstream
from bench.processes import Running, free_port, running

HERE = Path(__file__).parent
YARDSTICK = "bare aiohttp proxy"
GATEWAY = "weighbridge"
NGINX_HINT = "apt-get install nginx-light"


@dataclass(frozen=True, slots=True)
class Bench:
    """What all processes of a run share: a directory, the two cores, the secret that signs the tokens."""

    directory: Path
    subject_core: int
    load_core: int
    secret: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """One row of the table."""

    name: str
    command: Callable[[Bench, int, int], list[str]]
    """(bench, port, upstream's port) → what to run; writes the configuration it needs."""
    environment: Callable[[Bench, int, int], Mapping[str, str]] = lambda _bench, _port, _upstream: {}
    program: str | None = None
    hint: str = ""
    proof: str | None = None
    """A response field without which the subject did not do its work."""

    @property
    def installed(self) -> bool:
        """Whether its program is on this machine."""
        return self.program is None or shutil.which(self.program) is not None

    def start(self, bench: Bench, upstream_port: int) -> AbstractContextManager[Running]:
        """The subject on its core, in front of ``upstream_port``."""
        port = free_port()
        return running(
            self.command(bench, port, upstream_port),
            port=port,
            core=bench.subject_core,
            directory=bench.directory,
            env=self.environment(bench, port, upstream_port),
            name=self.name.replace(" ", "-"),
        )


def start_upstream(bench: Bench) -> AbstractContextManager[Running]:
    """The API behind every subject: nginx where installed, else ``bench.upstream``; on the load generator's core."""
    port = free_port()
    if shutil.which("nginx"):
        values = {"port": str(port), "body": upstream.BODY.decode()}
        argv = ["nginx", "-p", str(bench.directory), "-c", str(_fill("nginx-upstream.conf", bench.directory, values))]
    else:
        argv = [sys.executable, str(HERE / "upstream.py"), str(port)]
    return running(argv, port=port, core=bench.load_core, directory=bench.directory, env={}, name="upstream")


def upstream_name() -> str:
    """Which program answers behind the subjects."""
    return "nginx" if shutil.which("nginx") else "bench.upstream (Python)"


def _fill(template: str, directory: Path, values: Mapping[str, str]) -> Path:
    text = (HERE / template).read_text()
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    path = directory / template
    path.write_text(text)
    return path


def _bare(_bench: Bench, port: int, upstream_port: int) -> list[str]:
    return [sys.executable, str(HERE / "bare_proxy.py"), str(port), f"http://127.0.0.1:{upstream_port}"]


def _gateway(bench: Bench, _port: int, _upstream_port: int) -> list[str]:
    config = bench.directory / "gateway.yaml"
    config.write_text((HERE / "gateway.yaml").read_text())
    return [str(Path(sys.executable).with_name("weighbridge")), "serve", "--config", str(config)]


def _gateway_environment(bench: Bench, port: int, upstream_port: int) -> Mapping[str, str]:
    return {
        "BENCH_PORT": str(port),
        "BENCH_UPSTREAM_PORT": str(upstream_port),
        "BENCH_JWT_SECRET": bench.secret,
        "BENCH_LEDGER": str(bench.directory / "ledger.db"),
    }


def _nginx(bench: Bench, port: int, upstream_port: int) -> list[str]:
    values = {"port": str(port), "upstream_port": str(upstream_port)}
    return ["nginx", "-p", str(bench.directory), "-c", str(_fill("nginx.conf", bench.directory, values))]


SUBJECTS = (
    Subject(YARDSTICK, _bare),
    Subject(GATEWAY, _gateway, _gateway_environment, proof="X-RateLimit-Limit"),
    Subject("nginx proxy_pass", _nginx, program="nginx", hint=NGINX_HINT),
)
