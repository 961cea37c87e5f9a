"""What a worker was given by its supervisor, and what it says to it."""

import os
from pathlib import Path

import pytest

from gateway.workers.worker import Worker, worker_of


def worker(ready: int) -> Worker:
    return Worker(2, 3, (5, 6), (), Path("/run/some;where"), 7, ready)


def test_a_worker_is_told_what_it_is() -> None:
    assert worker_of(worker(8).environment) == worker(8)
    assert worker_of({}) is None
    assert (worker(8).socket.name, [path.name for path in worker(8).siblings]) == ("2.sock", ["1.sock", "3.sock"])
    assert worker(8).own(Path("/var/ledger.db")) == Path("/var/ledger-worker2.db")


def test_it_says_once_that_it_serves() -> None:
    reads, writes = os.pipe()
    worker(writes).tell_ready()
    assert os.read(reads, 100) == b"ready"
    assert os.read(reads, 100) == b"", "closed"
    os.close(reads)


def test_a_supervisor_that_is_gone_before_it_serves_keeps_it_from_nothing() -> None:
    """It ends by its leash: had this failed, nothing of it would have been stopped, and it would never have ended."""
    reads, writes = os.pipe()
    os.close(reads)
    worker(writes).tell_ready()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(writes)
