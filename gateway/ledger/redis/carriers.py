"""How plain debits get to Redis: over a wire of their own to one server, or by pipelines to a cluster's nodes."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import hiredis
from redis.exceptions import RedisError

from gateway.core.redis_place import Place
from gateway.ledger.redis.scripts import DEBITS
from gateway.ledger.redis.servers import Call, Outcome, Refused, Servers, Unheard, word_in
from gateway.ledger.redis.wire import LOST, Wire, open_wire
from gateway.tasks import Tasks

_AGAIN_S = 0.2
_ELSEWHERE = frozenset({"READONLY", "MASTERDOWN", "LOADING"})


class WireCarrier:
    """To one server, or the one that Sentinels name. Connects by itself as soon as it is needed."""

    apart = False
    at_once = 4

    def __init__(
        self, place: Place, servers: Servers, found: Callable[[], Awaitable[tuple[str, int]]], timeout_s: float
    ) -> None:
        self._place, self._servers, self._found, self._timeout_s = place, servers, found, timeout_s
        self._wire: Wire | None = None
        self._tried_s = -_AGAIN_S
        self._tasks = Tasks(stubborn=True)
        self._watched: Wire | None = None
        """Of this one it is looked at soon whether it still answers."""

    @property
    def ready(self) -> bool:
        """See ``Carrier``."""
        if self._wire is not None and self._wire.is_open:
            return True
        now_s = asyncio.get_running_loop().time()
        if now_s - self._tried_s >= _AGAIN_S and not len(self._tasks):
            self._tried_s = now_s
            self._tasks.start(self.connect(), "connect to Redis for debits")
        return False

    async def connect(self) -> None:
        """Connect, if that can be done now."""
        try:
            self._wire = await open_wire(self._place, self._found, self._timeout_s)
        except (OSError, TimeoutError, RedisError):
            self._wire = None

    def carry(self, call: Call, answered: Callable[[Outcome], None]) -> None:
        """See ``Carrier``."""
        self._send("EVALSHA", DEBITS.sha, call, answered)
        wire = self._wire
        if wire is not None and self._watched is not wire:
            self._watched = wire
            asyncio.get_running_loop().call_later(self._timeout_s, self._watch, wire, wire.answers)

    async def carry_again(self, call: Call) -> Outcome:
        """See ``Carrier``."""
        (outcome,) = await self._servers.run(DEBITS, [call])
        return outcome

    def drop(self) -> None:
        """See ``Carrier``."""
        if self._wire is not None:
            self._wire.abort()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._tasks.close()
        self.drop()

    def _send(self, command: str, script: str, call: Call, answered: Callable[[Outcome], None]) -> None:
        wire = self._wire
        assert wire is not None  # noqa: S101  (for the types: it is ready)
        believed, *args = call.args
        line = (command, script, len(call.keys), *call.keys, wire.known.get(believed, believed), *args)
        wire.send(line, partial(self._heard, wire, call, answered))

    def _heard(self, wire: Wire, call: Call, answered: Callable[[Outcome], None], reply: Any) -> None:  # noqa: ANN401
        if type(reply) is list:
            if (believed := call.args[0]) not in wire.known and reply[1:2] != [b"epoch"]:
                wire.known = {believed: str(believed).partition(" ")[0] + " "}
            answered(reply)
        elif reply is LOST:
            answered(Unheard("ConnectionError"))
        elif str(reply).startswith("NOSCRIPT") and wire.is_open:
            self._send("EVAL", DEBITS.text, call, answered)
        else:
            word = word_in(reply) if isinstance(reply, hiredis.ReplyError) else "a reply that is none"
            if word in _ELSEWHERE:
                wire.abort()
            answered(Refused(word))

    def _watch(self, wire: Wire, answers: int) -> None:
        """Whoever has answered nothing for so long, though he was asked, is not waited for."""
        if wire.is_open and len(wire) and wire.answers != answers:
            asyncio.get_running_loop().call_later(self._timeout_s, self._watch, wire, wire.answers)
            return
        if self._watched is wire:
            self._watched = None
        if len(wire):
            wire.abort()


class ClusterCarrier:
    """To the nodes of a cluster, by redis-py's pipelines."""

    apart = True
    at_once = 512
    ready = True

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._waiting: list[tuple[Call, Callable[[Outcome], None]]] = []
        self._tasks = Tasks(stubborn=True)

    async def connect(self) -> None:
        """Nothing: the client is connected."""

    def carry(self, call: Call, answered: Callable[[Outcome], None]) -> None:
        """See ``Carrier``. What is sent in one turn of the loop goes together."""
        self._waiting.append((call, answered))
        if len(self._waiting) == 1:
            self._tasks.start(self._go(), "calls to a cluster")

    async def carry_again(self, call: Call) -> Outcome:
        """See ``Carrier``."""
        (outcome,) = await self._servers.run(DEBITS, [call])
        return outcome

    def drop(self) -> None:
        """See ``Carrier``: the client finds the nodes by itself."""

    async def close(self) -> None:
        """Cancel what is under way."""
        await self._tasks.close()

    async def _go(self) -> None:
        going, self._waiting = self._waiting, []
        outcomes: list[Outcome] = [Unheard("cancelled")] * len(going)
        try:
            outcomes = await self._servers.run(DEBITS, [call for call, _ in going])
        finally:
            for (_, answered), outcome in zip(going, outcomes, strict=True):
                answered(outcome)
