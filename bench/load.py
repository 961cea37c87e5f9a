"""Sends the load and says what came back: wrk where it is installed, ``bench.client`` elsewhere."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import workload

HERE = Path(__file__).parent
GRACE_SECONDS = 30
MOST_PACED = 4_000
"""Requests a second that ``bench.paced`` sends without being late itself."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the load generator saw; latencies in microseconds."""

    requests: int
    seconds: float
    bad_status: int
    broken: int
    p50_us: int
    p99_us: int

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def generator() -> str:
    """The name of the load generator that ``send`` will use."""
    return "wrk" if shutil.which("wrk") else "bench.client (Python)"


def send(port: int, calls: Path, *, connections: int, seconds: float) -> Load:
    """Drive one port of this machine for whole ``seconds``.

    Raises:
        RuntimeError: the generator failed, with what it said.
    """
    wrk = shutil.which("wrk")
    argv = [wrk, *_wrk(port, calls, connections, seconds)] if wrk else _client(port, calls, connections, seconds)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + GRACE_SECONDS, check=False)
    return parse(done.stdout, done.stderr)


def pace(port: int, calls: Path, *, connections: int, seconds: float, rate: float) -> dict[str, float]:
    """Ask ``rate`` times a second, and see how long each answer takes; see ``bench.paced``."""
    said = [str(port), str(calls), str(connections), str(seconds), str(rate)]
    argv = [sys.executable, "-m", "bench.paced", *said]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + GRACE_SECONDS, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def parse(output: str, errors: str = "") -> Load:
    """The generator's closing line as a value."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return Load(**json.loads(line))
    raise RuntimeError(f"the load generator ended without a result: {(errors or output).strip()[-500:]}")


def _wrk(port: int, calls: Path, connections: int, seconds: float) -> list[str]:
    options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
    script = ["-s", str(HERE / "wrk.lua"), f"http://127.0.0.1:{port}", "--", str(calls), workload.POST_BODY]
    return options + script


def _client(port: int, calls: Path, connections: int, seconds: float) -> list[str]:
    return [sys.executable, "-m", "bench.client", str(port), str(calls), str(connections), str(seconds)]
