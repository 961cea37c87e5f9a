"""Where a part measures: a gateway on one core, an API and the client on the other, as in the rounds."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import workload
from bench.processes import Running, free_port, running
from bench.subjects import GATEWAY, SUBJECTS, Bench, start_upstream
from bench.workload import Call


@dataclass(frozen=True, slots=True)
class Place:
    """What has been started; ``subject`` starts more."""

    bench: Bench
    upstream: Running
    calls: list[Call]
    path: Path
    stack: ExitStack

    def subject(self, name: str = GATEWAY) -> Running | None:
        """One of the table's subjects in front of ``upstream``; ``None``: it is not installed."""
        (found,) = (subject for subject in SUBJECTS if subject.name == name)
        return self.stack.enter_context(found.start(self.bench, self.upstream.port)) if found.installed else None

    def head(self, target: str, *, method: str = "GET", length: int | None = None, more: str = "") -> bytes:
        """The head of a request of a user whom the gateway knows."""
        call, body = self.calls[0], "" if length is None else f"Content-Length: {length}\r\n"
        who = f"Authorization: Bearer {call.token}\r\nX-Workspace-ID: {call.workspace}\r\n"
        return f"{method} {target} HTTP/1.1\r\nHost: bench\r\n{who}{more}{body}\r\n".encode()


@contextmanager
def place(*, bulk: bool = False) -> Iterator[Place]:
    """Everything ends with the ``with``. ``bulk``: the API is ``bench.bulk``."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-") as name, ExitStack() as stack:
        bench = Bench(Path(name), subject_core=cores[0], load_core=cores[-1])
        os.sched_setaffinity(0, {bench.load_core})
        calls = workload.make(bench.secret)
        path = workload.write(calls, bench.directory)
        upstream = stack.enter_context(_bulk(bench) if bulk else start_upstream(bench))
        yield Place(bench, upstream, calls, path, stack)


def _bulk(bench: Bench) -> AbstractContextManager[Running]:
    port = free_port()
    argv = [sys.executable, "-m", "bench.bulk", str(port)]
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return running(argv, port=port, core=bench.load_core, directory=bench.directory, env=env, name="upstream")
