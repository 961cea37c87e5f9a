"""kill -9, a hundred times under load: what was answered is charged, but for the last moments; nothing is twice."""

import asyncio
import os
import random
import shutil
import signal
import socket
from pathlib import Path
from textwrap import dedent

import jwt
import pytest

from gateway.clock import now_us
from gateway.core.scope import Scope
from tests.e2e.audit import Audit, restored_from
from tests.e2e.clients import Books, Clients, Order, ask_each, order, pick
from tests.e2e.plain_upstream import plain_upstream
from tests.e2e.zygote import Zygote, zygote

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("WEIGHBRIDGE_KILLS", "100"))
SEED = int(os.environ.get("WEIGHBRIDGE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
SECRET = "a-secret-of-the-tests-that-is-long-enough"
CONNECTIONS = 12
LOOK_EVERY = 25

USERS = [Scope("user", f"550e8400-e29b-41d4-a716-{number:012x}") for number in range(1_100)]
HOT, TRICKLING = USERS[:20], USERS[20:120]
WORKSPACES = [Scope("workspace", f"aa0e8400-e29b-41d4-a716-{number:012x}") for number in range(100)]
AMOUNTS = {
    **dict.fromkeys(USERS, 60),
    **dict.fromkeys(HOT, 1_000_000),
    **dict.fromkeys(TRICKLING, 400),
    **dict.fromkeys(WORKSPACES, 120),
}
COSTS = {("GET", "/one"): 1, ("POST", "/five"): 5, ("GET", "/slow"): 2, ("GET", "/fails"): 3, ("GET", "/free"): 0}

CONFIG = """\
listen: 127.0.0.1:{port}
upstream: {{url: "{upstream}"}}
identity:
  jwt: {{secret: "${{JWT_SECRET}}"}}
workspace: {{membership: trust_clients}}
defaults: {{user: small, workspace: team}}
plans:
  - {{slug: small, throughput_limit: 60, window_seconds: 315360000, anchor: epoch}}
  - {{slug: team, throughput_limit: 120, window_seconds: 315360000, anchor: epoch}}
  - {{slug: large, throughput_limit: 1000000, window_seconds: 315360000, anchor: epoch}}
  - {{slug: trickle, throughput_limit: 400, window_seconds: 315360000, refill: continuous}}
rules:
  - {{method: POST, path: /five, weight: 5}}
  - {{method: GET, path: /slow, weight: 2}}
  - {{method: GET, path: /fails, weight: 3, refund_on: [503]}}
  - {{method: GET, path: /free, weight: 0}}
ledger: sqlite:///{folder}/ledger.db
store: sqlite:///{folder}/store.db
log: {{access: false, level: error}}
subscriptions:
"""


def _config(folder: Path, upstream: str, port: int) -> Path:
    held = [("large", scope) for scope in HOT] + [("trickle", scope) for scope in TRICKLING]
    subscriptions = [f'  - {{plan: {plan}, scope: user, id: "{scope.id}"}}\n' for plan, scope in held]
    config = folder / "gateway.yaml"
    config.write_text(dedent(CONFIG.format(port=port, upstream=upstream, folder=folder)) + "".join(subscriptions))
    return config


def _orders(chance: random.Random, users: list[Scope]) -> list[Order]:
    """Every second user acts in a workspace, which pays first."""
    found = []
    for user in users:
        token = jwt.encode({"sub": user.id, "exp": now_us() // 1_000_000 + 3_600}, SECRET, "HS256")
        payers = (chance.choice(WORKSPACES), user) if chance.random() < 0.5 else (user,)
        found += [order(method, path, token, payers, cost) for (method, path), cost in COSTS.items()]
    return found


def _free_port() -> int:
    """A port that no outgoing connection of this machine is given, so that it is still free in the next life."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


async def _look_between_two_lives(folder: Path, scopes: list[Scope], books: Books, killed_us: list[int]) -> None:
    """Open a copy of what the kill left, and compare; the original waits untouched for the next gateway."""
    copy = folder / f"after-{len(killed_us)}"
    copy.mkdir()
    for file in folder.glob("ledger.db*"):
        shutil.copy(file, copy)
    spent, differences = await restored_from(copy / "ledger.db", scopes)
    assert differences == []
    audit = Audit(copy / "ledger.db", books, killed_us)
    audit.check_bounds(spent, AMOUNTS)
    assert {scope: units for scope, units in spent.items() if units} == +audit.debited()


async def _ask_a_last_gateway(here: Zygote, port: int, orders: list[Order], life: int) -> dict[Scope, int]:
    """What a gateway that starts after the last kill says is left, and its orderly end."""
    await here.fork()
    free = {sent.payers[0]: sent for sent in orders if sent.cost == 0}
    while True:
        try:
            answers = await ask_each(port, list(free.values()), life)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)
    assert await here.end(signal.SIGTERM) == 0
    return {answer.scope: answer.left for answer in answers}


async def _live_and_die(here: Zygote, port: int, chance: random.Random) -> int:
    """One life, from the fork to the kill at a random moment: one in eight while it still starts."""
    await here.fork()
    if chance.random() < 0.125:
        await asyncio.sleep(chance.uniform(0, 0.1))
    else:
        await _until_listening(port)  # however slow the machine: else nothing would ever be charged
        await asyncio.sleep(chance.uniform(0.1, 0.5))
    assert await here.end() == -signal.SIGKILL
    return now_us()


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.transport.abort()
                return


async def test_after_a_hundred_kills_every_counter_is_what_clients_were_charged(tmp_path: Path) -> None:
    chance, port, books = random.Random(SEED), _free_port(), Books()
    killed_us: list[int] = []
    print(f"WEIGHBRIDGE_SEED={SEED} WEIGHBRIDGE_KILLS={KILLS}")
    async with plain_upstream() as upstream:
        config = _config(tmp_path, upstream.url, port)
        orders, hot = _orders(chance, USERS), _orders(chance, HOT)
        async with zygote(config, {"JWT_SECRET": SECRET}, tmp_path / "errors") as here:
            clients = Clients(port, books, pick(chance, orders, hot), CONNECTIONS)
            for life in range(KILLS):
                books.life = life
                killed_us.append(await _live_and_die(here, port, chance))
                if life % LOOK_EVERY == LOOK_EVERY - 1:
                    await _look_between_two_lives(tmp_path, list(AMOUNTS), books, killed_us)
            await clients.stop()
            left = await _ask_a_last_gateway(here, port, orders, KILLS)
    assert (tmp_path / "errors").read_text() == ""
    spent, differences = await restored_from(tmp_path / "ledger.db", list(AMOUNTS))
    assert differences == []
    audit = Audit(tmp_path / "ledger.db", books, killed_us)
    print(audit.measure())
    audit.check_that_only_the_last_moments_are_missing()
    audit.check_that_the_answers_told_the_truth()
    audit.check_bounds(spent, AMOUNTS)
    assert spent == {scope: audit.debited()[scope] for scope in AMOUNTS}
    assert left == {scope: AMOUNTS[scope] - spent[scope] for scope in left}
