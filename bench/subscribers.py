"""What a request costs with ten subscribers, and with a hundred thousand: ``python -m bench.subscribers``.

Two gateways on one core, alike but for their billing databases, are loaded in turns: first by the same ten users, then
by as many as the larger database has (up to ``--callers``), whose subscriptions have all been asked for once before.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import jwt
import sqlalchemy as sa

from bench import load, workload
from bench.processes import Running, free_port, running
from gateway.clock import now_us
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.store import plans
from gateway.store.mandate import Actor, Mandate
from gateway.store.open import open_store
from gateway.store.rows import PlanDraft, Terms

SECRET = "only-for-this-benchmark-and-long-enough"
FEW, MANY = 10, 100_000
CONFIG = """
listen: "127.0.0.1:{port}"
upstream: {{url: "http://127.0.0.1:{upstream}"}}
identity: {{jwt: {{secret: "{secret}"}}}}
cascade: [user]
workspace: {{membership: trust_clients}}
defaults: {{user: null, workspace: null}}
store: sqlite:///{folder}/store.db
ledger: sqlite:///{folder}/ledger.db
log: {{access: false}}
"""
FILL = """
    INSERT INTO subscriptions (id, plan_id, plan_version, scope_kind, scope_id, user_id, status, starts_us, provider,
        mode, cancel_at_period_end, revision, created_us, updated_us)
    WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
    SELECT 's' || n, :plan, 1, 'user', 'u' || n, 'u' || n, 'active', 0, 'manual', 'payment', false, 1, n, n FROM numbers
"""


async def fill(url: str, subscribers: int) -> None:
    """A plan that is never empty, and who has it."""
    store, by = await open_store(url), Mandate(Actor("command"), now_us())
    terms = Terms((PlanLimit(THROUGHPUT, 10**12, 3_600_000_000),), 30)
    plan = await plans.create(store, PlanDraft(slug="ample", name="Ample", terms=terms), by)
    async with store.write(by) as act:
        await act.connection.execute(sa.text(FILL), {"last": subscribers - 1, "plan": plan.id})
    await store.close()


def calls(folder: Path, callers: int) -> Path:
    """One request of each caller."""
    expires = now_us() // 1_000_000 + workload.TOKEN_SECONDS
    folder.mkdir()
    made = [
        workload.Call("GET", "/items", jwt.encode({"sub": f"u{n}", "exp": expires}, SECRET, algorithm="HS256"), "w1")
        for n in range(callers)
    ]
    return workload.write(made, folder)


def gateway(stack: ExitStack, folder: Path, subscribers: int, upstream: int, core: int) -> Running:
    """A gateway whose database has so many subscribers."""
    folder.mkdir()
    asyncio.run(fill(f"sqlite:///{folder}/store.db", subscribers))
    port = free_port()
    config = folder / "gateway.yaml"
    config.write_text(CONFIG.format(port=port, upstream=upstream, secret=SECRET, folder=folder))
    argv = [sys.executable, "-m", "bench.subscribers", "--serve", str(config)]
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    started = running(argv, port=port, core=core, directory=folder, env=env, name="gateway")
    return stack.enter_context(started)


def measured(subject: Running, path: Path, seconds: float) -> float:
    """Microseconds of CPU for one request."""
    before = subject.cpu_seconds()
    sent = load.send(subject.port, path, connections=32, seconds=seconds)
    if sent.bad_status or sent.broken:
        raise SystemExit(f"{sent.bad_status} requests were refused and {sent.broken} connections broke")
    return (subject.cpu_seconds() - before) / sent.requests * 1e6


def compare(subjects: Sequence[Running], path: Path, rounds: int, seconds: float) -> list[list[float]]:
    """The subjects in turns, round after round."""
    return [[measured(subject, path, seconds) for subject in subjects] for _ in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    parser.add_argument("--callers", type=int, default=20_000, help="who ask in the second part")
    parser.add_argument("--serve", metavar="CONFIG", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve is not None:
        from gateway.cli import main as cli  # noqa: PLC0415  (this process is the gateway)

        cli(["serve", "--config", asked.serve])
        return
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        upstream = free_port()
        argv = [sys.executable, "-m", "bench.upstream", str(upstream)]
        env = {"PYTHONPATH": os.pathsep.join(sys.path)}
        stack.enter_context(running(argv, port=upstream, core=cores[-1], directory=folder, env=env, name="upstream"))
        few, many = (
            gateway(stack, folder / str(subscribers), subscribers, upstream, cores[0]) for subscribers in (FEW, MANY)
        )
        ten, crowd = calls(folder / "ten", FEW), calls(folder / "crowd", asked.callers)
        compare((few, many), ten, 1, asked.seconds)
        turns = compare((few, many), ten, asked.rounds, asked.seconds)
        ratio = statistics.median(b / a for a, b in turns)
        a, b = (statistics.median(column) for column in zip(*turns, strict=True))
        print(f"ten users ask: {a:.0f} µs of CPU with {FEW} subscribers, {b:.0f} µs with {MANY:,}: x {ratio:.2f}")
        print(f"memory then: {few.rss_bytes() / 1e6:.0f} MB, {many.rss_bytes() / 1e6:.0f} MB")
        cold = measured(many, crowd, max(asked.seconds, asked.callers / 2_000))
        (again,) = zip(*compare((many,), crowd, asked.rounds, asked.seconds), strict=True)
        print(f"{asked.callers:,} users ask in turns: {cold:.0f} µs at first, then {statistics.median(again):.0f} µs")
        print(f"memory then: {many.rss_bytes() / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
