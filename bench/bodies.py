"""Bodies of 1 KB, 1 MB and 100 MB, both ways, through the gateway and through nginx: ``python -m bench.bodies``.

The same API and the same client, both Python, on the other core: where they are the limit, the CPU for a megabyte says
more than the megabytes a second.
"""

import json
from typing import Any

import uvloop

from bench import bulk
from bench.place import Place, place
from bench.processes import Running
from bench.subjects import GATEWAY, NGINX

_KB, _MB = 1_000, 1_000_000
SIZES = {"1 KB": (_KB, 2_000, 16), "1 MB": (_MB, 100, 4), "100 MB": (100 * _MB, 6, 2)}
"""Bytes, how often, over how many connections."""
_ROUNDS = 2


async def measure(here: Place) -> dict[str, Any]:
    """By subject, size and direction: megabytes a second and CPU for a megabyte, the best of some rounds."""
    started = {name: here.subject(name) for name in (GATEWAY, NGINX)}
    found: dict[str, Any] = {}
    for _ in range(_ROUNDS):
        for name, subject in started.items():
            if subject is not None:
                for size in SIZES:
                    for direction in ("down", "up"):
                        new = await _pass(here, subject, size, direction)
                        _keep_best(found.setdefault(name, {}).setdefault(size, {}), direction, new)
    return found


async def _pass(here: Place, subject: Running, size: str, direction: str) -> dict[str, float]:
    length, times, connections = SIZES[size]
    down = direction == "down"
    head = here.head(f"/bytes/{length}") if down else here.head("/bytes", method="POST", length=length)
    before, resident = subject.cpu_seconds(), subject.peak_bytes()
    took = await bulk.repeat(
        subject.port,
        head,
        0 if down else length,
        times=times,
        connections=connections,
        expected=length if down else len(str(length)),
    )
    megabytes = length * times / _MB
    return {
        "mb_s": megabytes / took,
        "cpu_us_mb": (subject.cpu_seconds() - before) * 1e6 / megabytes,
        "grew_mb": (subject.peak_bytes() - resident) / _MB,
    }


def _keep_best(held: dict[str, dict[str, float]], direction: str, new: dict[str, float]) -> None:
    old = held.get(direction, new)
    held[direction] = {
        "mb_s": max(old["mb_s"], new["mb_s"]),
        "cpu_us_mb": min(old["cpu_us_mb"], new["cpu_us_mb"]),
        "grew_mb": max(old["grew_mb"], new["grew_mb"]),
    }


def main() -> None:
    """Print one line of JSON."""
    with place(bulk=True) as here:
        print(json.dumps(uvloop.run(measure(here))))


if __name__ == "__main__":
    main()
