"""How the cost of a request grows: with header fields, connections, callers and workers. ``python -m bench.scale``.

Each figure is the gateway's CPU for one request, which says more than requests a second where load and API are slower.
Rules and scopes without load are in ``bench.matching`` and ``bench.journaling``, bodies in ``bench.bodies``.
"""

import asyncio
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import uvloop

from bench import workload
from bench.client import Driver
from bench.place import Place, place
from bench.processes import Running, allow_files, free_port
from bench.starting import wait_until_ready
from bench.subjects import GATEWAY, SUBJECTS, in_redis, start_redis, weighbridge

FIELDS = (0, 10, 90)
CONNECTIONS = (1, 64, 1_000, 4_000)
CALLERS = (10, 1_000, 10_000)
WORKERS = (1, 2, 4)
_SECONDS = 1.0
_CALLS = 4_000
_PATIENCE = 5


async def measure(here: Place) -> dict[str, Any]:
    """Tables: what grew → requests a second and CPU for each."""
    subject = here.subject()
    if subject is None:
        raise RuntimeError("the gateway is not installed")
    host = f"127.0.0.1:{subject.port}"
    plain = [workload.head_and_body(call, host) for call in here.calls[:_CALLS]]
    found: dict[str, Any] = {"fields": {}, "connections": {}, "callers": {}}
    for number in FIELDS:
        more = b"".join(b"X-Field-%d: %030d\r\n" % (each, each) for each in range(number))
        found["fields"][number] = await _cost(subject, [_with(wire, more) for wire in plain], 64)
    for number in CONNECTIONS:
        found["connections"][number] = await _cost(subject, plain, number)
    for number in CALLERS:
        found["callers"][number] = await _cost(subject, _of(here, number, host), 64)
    found["workers"] = await _workers(here)
    return found


def _with(wire: bytes, more: bytes) -> bytes:
    line, _, rest = wire.partition(b"\r\n")
    return b"%b\r\n%b%b" % (line, more, rest)


def _of(here: Place, callers: int, host: str) -> list[bytes]:
    """Requests of so many users, all alike otherwise: none of them asks more than the others."""
    chance = random.Random(callers)  # noqa: S311  (not a secret: it shall repeat)
    tokens = list({call.token for call in here.calls})[:callers]
    calls = [replace(call, token=chance.choice(tokens)) for call in here.calls[:_CALLS]]
    return [workload.head_and_body(call, host) for call in calls]


async def _cost(subject: Running, wires: Sequence[bytes], connections: int) -> dict[str, float]:
    """After each of ``wires`` was sent once, or for a while: a cold start is not what is measured."""
    await _drive(subject, wires, connections, _SECONDS, least=len(wires))
    before = subject.cpu_seconds()
    driver = await _drive(subject, wires, connections, _SECONDS)
    seconds = driver.loop.time() - driver.started
    answers = len(driver.latencies_us)
    if driver.bad_status or driver.broken or not answers:
        raise RuntimeError(f"{driver.bad_status} requests refused, {driver.broken} of {connections} connections broken")
    return {
        "per_second": round(answers / seconds),
        "cpu_us": round((subject.cpu_seconds() - before) * 1e6 / answers, 1),
    }


async def _drive(
    subject: Running, wires: Sequence[bytes], connections: int, seconds: float, *, least: int = 0
) -> Driver:
    allow_files(2 * connections + 500)  # those of the drive before may not have ended yet
    driver = Driver([*wires], subject.port)
    for start in range(0, connections, 200):
        await asyncio.gather(*(driver.connect() for _ in range(min(200, connections - start))))
    await asyncio.wait([driver.ended], timeout=seconds)
    for _ in range(_PATIENCE):
        if driver.ended.done() or len(driver.latencies_us) >= least:
            break
        await asyncio.sleep(_SECONDS)
    if not driver.ended.done():
        driver.ended.set_result(None)
    await asyncio.sleep(0.1)
    return driver


async def _workers(here: Place) -> dict[int, Any] | str:
    """By the number of processes that share one Redis; all on the one core, so what is to be seen is what they cost."""
    if shutil.which("redis-server") is None:
        return "redis-server is not installed"
    port = free_port()
    here.stack.enter_context(start_redis(here.bench, port))
    (alone,) = (subject for subject in SUBJECTS if subject.name == GATEWAY)
    bench, found = replace(here.bench, redis_port=port), dict[int, Any]()
    for number in WORKERS:
        subject = replace(alone, command=weighbridge(_workers_of(number)), name=f"workers-{number}")
        with subject.start(bench, here.upstream.port) as process:
            wait_until_ready(process)  # the supervisor listens before its workers can answer
            host = f"127.0.0.1:{process.port}"
            wires = [workload.head_and_body(call, host) for call in here.calls[:_CALLS]]
            found[number] = await _cost(process, wires, 64)
    return found


def _workers_of(number: int) -> Callable[[str], str]:
    def change(config: str) -> str:
        return f"{in_redis(config)}\nworkers: {number}\n"

    return change


def main() -> None:
    """Print one line of JSON."""
    with place() as here:
        print(json.dumps(uvloop.run(measure(here))))


if __name__ == "__main__":
    main()
