"""What a worker was given by its supervisor, and what it says to it."""

import os
from pathlib import Path

import pytest

from gateway.workers.worker import Worker, worker_of


def worker(ready: int) -> Worker:
    return Worker(2, 3, (5, 6), (7,), Path("/some;where"), 8, ready)


def test_it_is_told_by_its_environment() -> None:
    assert worker_of(worker(9).environment) == worker(9)
    assert worker_of({}) is None


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
