"""The measuring itself: subjects side by side, round after round, so that a noisy minute hits all of them."""

import http.client
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import load, workload
from bench.load import MOST_PACED, Load
from bench.processes import Running, StartError, free_port
from bench.subjects import GATEWAY, Bench, Subject, start_redis, start_upstream
from bench.workload import Call


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard."""

    rounds: int = 3
    seconds: float = 5.0
    warm_up: float = 30.0
    """At most; it ends when every request of the load has been sent once."""
    connections: int = 64

    @property
    def steps_per_subject(self) -> int:
        """Loads sent to each subject: the warm-up and the rounds."""
        return 1 + self.rounds


@dataclass(frozen=True, slots=True)
class Sample:
    """One subject in one round; ``rss_bytes`` is what it held right after the load."""

    load: Load
    cpu_seconds: float
    rss_bytes: int
    refuses: bool = False

    @property
    def failed(self) -> int:
        """Broken connections, and answers that are not what the subject is there for.

        One that refuses lets the first request of each workspace and user pass.
        """
        if not self.refuses:
            return self.load.broken + self.load.bad_status
        return self.load.broken + (0 if self.load.bad_status > self.load.requests / 2 else self.load.requests)

    @property
    def cpu_us_per_request(self) -> float:
        """The subject's own CPU time for one request, microseconds."""
        return self.cpu_seconds * 1e6 / max(1, self.load.requests)

    @property
    def core_busy(self) -> float:
        """The share of its core that the subject used, 0 to 1. Well below 1, something else was the limit."""
        return self.cpu_seconds / self.load.seconds


@dataclass(frozen=True, slots=True)
class Latency:
    """At half of the gateway's peak, microseconds: through the gateway, and without it."""

    p50_us: float
    p99_us: float
    bare_p50_us: float
    bare_p99_us: float


@dataclass(frozen=True, slots=True)
class Measured:
    """All samples by subject (the n-th of each belong to one round), and why others have none."""

    samples: Mapping[str, list[Sample]]
    missing: Mapping[str, str]
    lane_share: float | None = None
    """Of the gateway's requests under load, how many its fast lane took."""
    latency: Latency | None = None


def measure(
    subjects: tuple[Subject, ...], bench: Bench, plan: Plan, first: Call, calls: Path, step: Callable[[str], None]
) -> Measured:
    """Start everything, warm up, run the rounds. ``step`` is told what happens next, before each load."""
    missing = {subject.name: f"not installed: {subject.hint}" for subject in subjects if not subject.installed}
    with ExitStack() as stack:
        behind = stack.enter_context(start_upstream(bench))
        if any("redis-server" in subject.programs for subject in subjects) and shutil.which("redis-server"):
            bench = replace(bench, redis_port=free_port())
            stack.enter_context(start_redis(bench, bench.redis_port))
        started: dict[str, Running] = {}
        for subject in (subject for subject in subjects if subject.installed):
            try:
                process = stack.enter_context(subject.start(bench, behind.port))
                probe(process, subject, first)
            except (StartError, OSError, http.client.HTTPException) as error:
                missing[subject.name] = f"did not run: {error}"
            else:
                started[subject.name] = process
        for name, process in started.items():
            step(f"{name}: warming up")
            _warm_up(process, calls, plan)
        samples: dict[str, list[Sample]] = {name: [] for name in started}
        before = _lane(started.get(GATEWAY))
        refusing = {subject.name for subject in subjects if subject.refuses}
        for number in range(1, plan.rounds + 1):
            for name, process in started.items():
                step(f"{name}: round {number} of {plan.rounds}")
                samples[name].append(_sample(process, calls, plan, refuses=name in refusing))
        after = _lane(started.get(GATEWAY))
        latency = _latency(started.get(GATEWAY), behind, samples, calls, plan)
    requests = after.requests - before.requests
    return Measured(samples, missing, (after.taken - before.taken) / requests if requests else None, latency)


def _latency(
    gateway: Running | None, behind: Running, samples: Mapping[str, list[Sample]], calls: Path, plan: Plan
) -> Latency | None:
    """At half of the gateway's peak, but not faster than the generator can ask."""
    if gateway is None or not samples[GATEWAY]:
        return None
    peak = median(sample.load.per_second for sample in samples[GATEWAY])
    through, bare = (
        load.pace(port, calls, connections=plan.connections, seconds=plan.seconds, rate=min(peak / 2, MOST_PACED))
        for port in (gateway.port, behind.port)
    )
    return Latency(through["p50_us"], through["p99_us"], bare["p50_us"], bare["p99_us"])


class _Lane(NamedTuple):
    taken: float = 0.0
    requests: float = 0.0


def _lane(gateway: Running | None) -> _Lane:
    """What the gateway's own counters say of its fast lane."""
    if gateway is None:
        return _Lane()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    connection.request("GET", "/-/metrics")
    lines = [line.rpartition(" ") for line in connection.getresponse().read().decode().splitlines()]
    connection.close()
    return _Lane(_sum(lines, "weighbridge_fast_lane_requests_total"), _sum(lines, "weighbridge_requests_total"))


def _sum(lines: list[tuple[str, str, str]], name: str) -> float:
    return sum(float(value) for label, _, value in lines if label.partition("{")[0] == name)


def probe(process: Running, subject: Subject, call: Call) -> None:
    """Send one request by hand.

    Raises:
        StartError: the answer is not a 200, or lacks the field that proves the subject's work.
    """
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
    try:
        fields = {"Authorization": f"Bearer {call.token}", "X-Workspace-ID": call.workspace}
        connection.request(call.method, call.path, headers=fields)
        answer = connection.getresponse()
        body = answer.read(300).decode(errors="replace")
        if answer.status != http.client.OK:
            raise StartError(f"it answered {answer.status}: {body}")
        if subject.proof and answer.getheader(subject.proof) is None:
            raise StartError(f"its answer has no {subject.proof}")
    finally:
        connection.close()


def _warm_up(process: Running, calls: Path, plan: Plan) -> None:
    """Send the whole load once: caches then hold what they hold on the second day, and not on the first minute."""
    tried = load.send(process.port, calls, connections=plan.connections, seconds=min(1.0, plan.warm_up))
    left = min(plan.warm_up - tried.seconds, workload.REQUESTS / max(1.0, tried.per_second))
    if left > 0:
        load.send(process.port, calls, connections=plan.connections, seconds=left)


def _sample(process: Running, calls: Path, plan: Plan, *, refuses: bool) -> Sample:
    before = process.cpu_seconds()
    seen = load.send(process.port, calls, connections=plan.connections, seconds=plan.seconds)
    return Sample(seen, process.cpu_seconds() - before, process.rss_bytes(), refuses)
