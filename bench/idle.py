"""Ten thousand idle keep-alive connections: ``python -m bench.idle``. Their memory, and what they cost the others."""

import json
import time
from typing import Any

import uvloop

from bench import crowd, load
from bench.place import Place, place
from bench.processes import Running

CONNECTIONS = 10_000
_SECONDS = 3.0


async def measure(here: Place) -> dict[str, Any]:
    """Bytes for each connection; CPU for a request beside none of them, and beside all."""
    subject = here.subject()
    if subject is None:
        raise RuntimeError("the gateway is not installed")
    alone = _cpu_us(here, subject)
    before, started = subject.rss_bytes(), time.monotonic()
    readers = await crowd.gather(subject.port, here.head("/resource1"), CONNECTIONS)
    opened_s, after = time.monotonic() - started, subject.rss_bytes()
    beside = _cpu_us(here, subject)
    lost = sum(reader.lost for reader in readers)
    for reader in readers:
        reader.transport.abort()
    if lost:
        raise RuntimeError(f"{lost} of {CONNECTIONS} idle connections were closed")
    return {
        "connections": CONNECTIONS,
        "bytes_each": (after - before) / CONNECTIONS,
        "opened_s": opened_s,
        "cpu_us_alone": alone,
        "cpu_us_beside": beside,
    }


def _cpu_us(here: Place, subject: Running) -> float:
    load.send(subject.port, here.path, connections=64, seconds=_SECONDS)
    before = subject.cpu_seconds()
    seen = load.send(subject.port, here.path, connections=64, seconds=_SECONDS)
    return (subject.cpu_seconds() - before) * 1e6 / max(1, seen.requests)


def main() -> None:
    """Print one line of JSON."""
    with place() as here:
        print(json.dumps(uvloop.run(measure(here))))


if __name__ == "__main__":
    main()
