"""Holds what arrived at the stand-in against what was debited: the books are asked, not the answer alone."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ALICE
from gateway.demo.exchange import Seen
from tests.e2e.dodges.spellings import COSTS
from tests.e2e.wire import Answered, request, send
from tests.e2e.world import SECRET, World, world

RICH = """\
workspace: {membership: trust_clients, query: workspace_id}
defaults: {user: rich, workspace: null}
identity:
  jwt: {secret: "${JWT_SECRET}", query: Authorization}
ledger: "memory:"
plans:
  - {slug: rich, throughput_limit: 1000000000, window_seconds: 86400}
rules:
""" + "".join(
    f'  - {{method: {name.split()[0]}, path: "{name.split()[1]}", weight: {COSTS[name]}}}\n' for name in COSTS
)

_PATIENCE_S = 10


class Case(NamedTuple):
    """What came of one wire: the answer, the requests that it made at the stand-in, the units debited for it."""

    answer: Answered
    arrived: list[Seen]
    debited: int


def price(arrived: Iterable[Seen]) -> int:
    """What requests cost that a user was accepted for, or might have been."""
    return sum(COSTS.get(seen.handler, 1) for seen in arrived if seen.user is not None or carries(seen))


def carries(seen: Seen) -> bool:
    """Whether a request came with what the stand-in takes for a credential."""
    return "authorization" in seen.raw_path.lower() or "authorization" in {name.lower() for name, _ in seen.headers}


class Judge:
    """Sends bytes through the gateway. ``who``: the fields of a user who can pay."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.who = [*here.headers(ALICE, ACME.id).items()]

    @property
    def debited(self) -> int:
        """All units so far, less those that were given back."""
        metrics = self.here.gateway.metrics
        return sum(metrics.units.values()) - sum(metrics.refunded_units.values())

    @property
    def arrived(self) -> int:
        """How many requests have come to the stand-in so far."""
        return len(self.here.backend.requests)

    async def send(self, wire: bytes) -> Case:
        """Send ``wire`` on a connection of its own, until that ends."""
        before, debited = self.arrived, self.debited
        answer = await send(self.here.url, wire)
        return Case(answer, self.since(before), self.debited - debited)

    def since(self, before: int) -> list[Seen]:
        """The requests that came to the stand-in after the first ``before``."""
        requests = self.here.backend.requests
        return [requests[place] for place in range(before, len(requests))]

    async def judge(self, method: str, target: bytes, fields: Sequence[tuple[str, str]] = ()) -> Case:
        """One spelling, sent by who can pay: the handler that it reached was paid for, at that handler's price.

        What reached no handler (404) has arrived all the same: it costs what its rule says, and never nothing.
        """
        said = (method, target, tuple(fields))
        body = b"{}" if method.upper() == "POST" else b""
        case = await self.send(request(target, [*self.who, *fields], method, body))
        if not case.arrived:
            assert case.debited == 0, said
            return case
        (seen,) = case.arrived
        if seen.handler:
            assert case.debited == COSTS.get(seen.handler, 1), (*said, seen.handler)
        assert case.debited > 0, said
        assert case.answer.get("X-Weighbridge-Cost") == str(case.debited), said
        return case

    async def settle(self) -> None:
        """Wait until the debits are those of what arrived; what was cut short arrives when it will."""
        async with asyncio.timeout(_PATIENCE_S):
            await self.here.backend.until(lambda: price(self.since(0)) >= self.debited)
        assert price(self.since(0)) == self.debited


@asynccontextmanager
async def judging(folder: Path) -> AsyncIterator[Judge]:
    """A judge of a gateway whose users can pay for everything."""
    async with world(folder, RICH, backend=Backend(jwt_secret=SECRET, send_delay_s=0.0, login_limit=10**9)) as here:
        yield Judge(here)
