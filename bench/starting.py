"""How long a start takes, and what an idle gateway holds: ``python -m bench.starting``.

Once with nothing stored, and once with a million buckets in the journal, as a gateway leaves them.
"""

import http.client
import json
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.place import Place, place
from bench.processes import READY_SECONDS, Running, StartError
from bench.subjects import GATEWAY, SUBJECTS, Bench, Subject
from gateway.core.scope import Scope
from gateway.journal.schema import connect
from gateway.journal.tally import part_of

BUCKETS = 1_000_000
_TIMES = 3
_START_US = 1_767_225_600_000_000
_HOUR_US = 3_600_000_000
_KEY = f"throughput|{_HOUR_US}|interval|epoch|"


def fill(path: Path, buckets: int = BUCKETS) -> None:
    """A journal whose folded state is so many buckets, none of them full again."""
    at_us = time.time_ns() // 1000 // _HOUR_US * _HOUR_US  # noqa: TID251  (the gateway that reads it goes by this clock)
    rows = [(part_of(Scope("user", id_)), id_) for id_ in (f"{number:032x}" for number in range(buckets))]
    rows.sort()
    with closing(connect(path, at_us)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.executemany(
            f"INSERT INTO buckets VALUES (?, 'user', ?, '{_KEY}', {at_us}, 1, {at_us}, 0, '', {at_us + _HOUR_US}, 0)",  # noqa: S608
            rows,
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def measure(here: Place) -> dict[str, Any]:
    """Seconds until ready and resident bytes then, both medians of some starts."""
    empty, stored = (here.bench.directory / f"{name}.db" for name in ("empty", "stored"))
    fill(stored)
    return {"empty": _starts(here, empty), "stored": _starts(here, stored) | {"buckets": BUCKETS}}


def _starts(here: Place, journal: Path) -> dict[str, float]:
    seconds, resident = [], []
    _start(here, journal)  # the first start makes the billing database, which is done once
    for _ in range(_TIMES):
        took, held = _start(here, journal)
        seconds.append(took)
        resident.append(held)
    return {"ready_s": min(seconds), "median_s": statistics.median(seconds), "rss_bytes": statistics.median(resident)}


def _start(here: Place, journal: Path) -> tuple[float, int]:
    (subject,) = (subject for subject in SUBJECTS if subject.name == GATEWAY)
    subject = replace(subject, environment=_with(subject, journal))
    started = time.monotonic()
    with subject.start(here.bench, here.upstream.port) as process:
        wait_until_ready(process)
        took = time.monotonic() - started
        time.sleep(0.5)
        return took, process.rss_bytes()


def _with(subject: Subject, journal: Path) -> Callable[[Bench, int, int], Mapping[str, str]]:
    def environment(bench: Bench, port: int, upstream_port: int) -> Mapping[str, str]:
        return {**subject.environment(bench, port, upstream_port), "BENCH_LEDGER": str(journal)}

    return environment


def wait_until_ready(process: Running) -> None:
    """Until ``/-/health/ready`` says 200. Raises ``StartError`` after a minute."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=10)
        try:
            connection.request("GET", "/-/health/ready")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.005)
    raise StartError("it did not become ready")


def main() -> None:
    """Print one line of JSON."""
    with place() as here:
        print(json.dumps(measure(here)))


if __name__ == "__main__":
    main()
