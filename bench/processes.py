"""Processes under measurement: started on one core, read through /proc, ended whatever happens."""

import os
import resource
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 60.0
END_SECONDS = 10.0
FILES = 25_000
"""Descriptors for each process that is started: ten thousand clients, and as many connections to the API."""
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class StartError(Exception):
    """A process ended, or did not listen in time; the message is the end of its log."""


@dataclass(frozen=True, slots=True)
class Running:
    """A started process and where its output goes."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and of those it started."""
        return sum(map(_cpu_ticks, _family(self.process.pid))) / TICKS_PER_SECOND

    def rss_bytes(self) -> int:
        """Memory resident now, of the process and of those it started."""
        return sum(map(_resident_pages, _family(self.process.pid))) * PAGE_BYTES

    def peak_bytes(self) -> int:
        """The most memory that the process itself has held so far."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def allow_files(number: int) -> None:
    """Let this process, and those that it starts from now on, have so many descriptors, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(
    argv: Sequence[str], *, port: int, core: int, directory: Path, env: Mapping[str, str], name: str
) -> Iterator[Running]:
    """Start ``argv`` on ``core``, wait until it listens on ``port``, and end it afterwards.

    Raises:
        StartError: it ended first, or took longer than a minute.
    """
    log = directory / f"{name}.log"
    allow_files(FILES)
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=directory, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        os.sched_setaffinity(process.pid, {core})  # before it has threads: they inherit it
        _wait_until_listening(process, port, log)
        yield Running(process, port, log)
    finally:
        _end(process)


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StartError(f"ended with status {process.returncode}: {_last_words(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise StartError(f"did not listen within {READY_SECONDS:.0f} s: {_last_words(log)}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "it said nothing"


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # a kernel without that file, or a process that has just ended
        children = []
    return [pid, *(member for child in children for member in _family(int(child)))]


def _cpu_ticks(pid: int) -> int:
    # proc(5): the name may hold spaces and brackets; utime and stime are the 12th and 13th field after it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident_pages(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
