"""Server-sent events to a thousand clients that read slowly: ``python -m bench.streams``.

The API writes as fast as it may. What the gateway holds for each client must be bounded, so its memory must not grow
while the streams go on.
"""

import asyncio
import json
from itertools import pairwise
from typing import Any

import uvloop

from bench import crowd
from bench.place import Place, place

READERS = 1_000
_SECONDS = 12
_PAUSE_S = 1.0


async def measure(here: Place) -> dict[str, Any]:
    """Memory for each reader, how much it grew in the second half, and what the readers got."""
    subject = here.subject()
    if subject is None:
        raise RuntimeError("the gateway is not installed")
    idle = subject.rss_bytes()
    readers = await crowd.gather(subject.port, here.head("/events"), READERS, slow=True)
    held: list[int] = []
    for _ in range(round(_SECONDS / _PAUSE_S)):
        await asyncio.sleep(_PAUSE_S)
        held.append(subject.rss_bytes())
        for reader in readers:
            reader.resume()
    half, lost = len(held) // 2, sum(reader.lost for reader in readers)
    heard = sorted(reader.heard for reader in readers)
    for reader in readers:
        reader.transport.abort()
    if lost:
        raise RuntimeError(f"{lost} of {READERS} streams broke")
    return {
        "readers": READERS,
        "bytes_each": (held[-1] - idle) / READERS,
        "grew_mb": (max(held[half:]) - max(held[:half])) / 1e6,
        "steps_mb": [round((b - a) / 1e6, 2) for a, b in pairwise(held[:: max(1, len(held) // 8)])],
        "slowest_kb": heard[0] / 1e3,
        "fastest_kb": heard[-1] / 1e3,
    }


def main() -> None:
    """Print one line of JSON."""
    with place(bulk=True) as here:
        print(json.dumps(uvloop.run(measure(here))))


if __name__ == "__main__":
    main()
