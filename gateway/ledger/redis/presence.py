"""Whether Redis is there, and still the one that was filled.

A marker holds the ledger's epoch. Every call says which one it expects, so nothing is admitted by a Redis that lost its
memory: that one is filled from the gateways' journals first, and its new epoch becomes valid then.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from redis.exceptions import RedisError

from gateway import log
from gateway.clock import new_id
from gateway.core.scope import Scope
from gateway.ledger.port import Kept
from gateway.ledger.redis.batch import Batches
from gateway.ledger.redis.home import FILLING, Homes
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.scripts import FINISH, MERGE
from gateway.ledger.redis.servers import Call, Refused, Servers, Unheard
from gateway.ledger.redis.states import pairs_of
from gateway.tasks import Tasks

GATHER_S = 3.0
"""How long a new epoch waits for gateways to come with what their journals know, before it becomes valid."""
SILENT_S = 10.0
"""A gateway that has begun to fill and shows nothing for so long is not waited for any more."""
WATCH_S = 1.0
"""How often it is looked whether Redis is there, if nobody asks; well below ``GATHER_S``."""
_FIRST_S, _LAST_S = 0.05, 1.0
_RENEWED_S = 0.2
_TELL_AGAIN_S = 1.0
_BEING_FILLED = "it is being filled from the journals"

_log = log.get_logger(__name__)


class Presence:
    """``here`` while Redis can be asked; ``reason`` says why not. Comes back by itself."""

    def __init__(
        self, servers: Servers, batches: Batches, names: Names, kept: Kept, now_us: Callable[[], int], gather_s: float
    ) -> None:
        self._servers, self._batches, self._names, self._kept = servers, batches, names, kept
        self._now_us = now_us
        self._gather_s = gather_s
        self._homes = Homes(servers, names)
        self._tasks = Tasks(stubborn=True)
        self._me = new_id()
        self._renewed_s = 0.0
        self._told_of = "", 0.0
        self._since: dict[str, float] = {}
        self._believed: dict[str, bytes] = {}
        self._seen_s: float | None = None
        """When Redis was last there, with the memory that it should have."""
        self.before_filling: Callable[[Callable[[Scope], bool]], None] = lambda _lost: None
        """What the journal does not know of scopes that were lost is let go of."""
        self.on_move: Callable[[], None] = lambda: None
        """Called when another server is to be asked from now on."""
        self.here = self._closed = False
        self.reason = "not asked yet"
        self.losses = 0

    async def open(self) -> None:
        """Look for Redis; go on looking beside the caller if it is not there."""
        if not await self._try() and not await self._filled():
            self._tasks.start(self._come_back(), "look for Redis")
        self._tasks.start(self._watch(), "watch Redis")

    def failed(self, reason: str, *, serious: bool = True) -> None:
        """A call failed. If it is ``serious``, nobody asks until Redis answers again."""
        if not serious:
            self._tell_of_act(reason)
        elif self.here:
            self.here, self.reason = False, reason
            self.losses += 1
            _log.error("the ledger is away, on_store_failure applies", reason=reason)
            self._tasks.start(self._come_back(), "look for Redis")

    def _tell_of_act(self, reason: str) -> None:
        """Once a second, however many acts fail for that reason."""
        now_s = asyncio.get_running_loop().time()
        if self._told_of[0] != reason or now_s - self._told_of[1] >= _TELL_AGAIN_S:
            self._told_of = reason, now_s
            _log.error("the ledger could not do an act", reason=reason)

    async def renew(self) -> None:
        """Connect anew: what answered may be another server now. Once, however many ask for it."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._renewed_s > _RENEWED_S:
            self._renewed_s = now_s
            try:
                await self._servers.renew()
            except (RedisError, OSError) as error:
                _log.warning("the ledger's servers cannot be found", error=type(error).__name__)

    async def close(self) -> None:
        """Stop looking. That is also told to tasks whose cancelling the library swallows while it connects."""
        self._closed = True
        await self._tasks.close()

    async def _watch(self) -> None:
        """Notice without a request that Redis is away, or another one."""
        while True:
            await asyncio.sleep(WATCH_S)
            if not self.here:
                continue
            now_s = asyncio.get_running_loop().time()
            if await self._servers.moved():
                self.on_move()
                await self.renew()
                self.failed("another server is the primary now")
                continue
            try:
                values = await self._read(self._names.markers)
            except (RedisError, OSError, TimeoutError) as error:
                self.failed(_reason(error))
                continue
            if dict(zip(self._names.markers, values, strict=True)) != self._believed:
                self.failed("epoch")
            elif self.here:
                self._seen_s = now_s

    async def _filled(self) -> bool:
        """Whether only a new ledger's time to come was to be waited for."""
        if self.reason != _BEING_FILLED:
            return False
        await asyncio.sleep(self._gather_s)
        return await self._try()

    async def _come_back(self) -> None:
        pause_s = _FIRST_S
        while not await self._try():
            if self._closed:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LAST_S)
            await self.renew()
        _log.info("the ledger is back")

    async def _try(self) -> bool:
        """Whether Redis answers, takes writes, and has the memory that it should have."""
        try:
            if not self._names.sharded:  # each node of a cluster says by itself whether it takes writes
                await self._servers.ask("SET", self._names.common("probe"), self._me, "PX", 1000)
            self.here = await self._enter()
        except (RedisError, OSError, TimeoutError) as error:
            self.reason = _reason(error)
            return False
        return self.here

    async def _enter(self) -> bool:
        markers, now_s = self._names.markers, asyncio.get_running_loop().time()
        runs = await self._homes.settle(None if self._seen_s is None else now_s - self._seen_s)
        values = await self._read(markers)
        missing = [marker for marker, value in zip(markers, values, strict=True) if value is None]
        if missing:
            _log.warning("the ledger has no memory, it is filled from the journals", markers=len(missing))
            fresh = FILLING + new_id().encode()
            await self._servers.ask_all([("SET", marker, fresh, "NX") for marker in missing])
            values = await self._read(markers)
        found = {marker: value for marker, value in zip(markers, values, strict=True) if value is not None}
        epochs = {marker: value.removeprefix(FILLING).decode() for marker, value in found.items()}
        all_of = ",".join(sorted(set(epochs.values())))
        if (filled := self._kept.filled()) != all_of:
            await self._fill(epochs, frozenset(filled.split(",")))
            self._kept.fill(all_of)
        for epoch in {value.removeprefix(FILLING).decode() for value in found.values() if value[:1] == FILLING}:
            await self._finish(epoch, [marker for marker, value in found.items() if value == FILLING + epoch.encode()])
        ready = len(found) == len(markers) and all(value[:1] != FILLING for value in await self._present(markers))
        if ready:
            self._seen_s = now_s
        self._believed = {marker: epoch.encode() for marker, epoch in epochs.items()}
        self._batches.epochs = {marker: f"{epoch} {runs[marker]}" for marker, epoch in epochs.items()}
        self.reason = "" if ready else _BEING_FILLED
        return ready

    async def _read(self, markers: Sequence[str]) -> list[bytes | None]:
        return await self._servers.ask_all([("GET", marker) for marker in markers])

    async def _present(self, markers: Sequence[str]) -> list[bytes]:
        return [value or FILLING for value in await self._read(markers)]

    async def _fill(self, epoch_of: Mapping[str, str], filled: AbstractSet[str]) -> None:
        """Bring in what the journal knows, and tell the others while it lasts. What was ``filled`` before has it."""
        epochs = sorted(set(epoch_of.values()) - filled)

        def is_lost(scope: Scope) -> bool:
            return epoch_of[self._names.marker(scope)] not in filled

        self.before_filling(is_lost)
        async for page in self._kept.pages():
            await self._tell(epochs, "busy")
            for scope, states in ((scope, states) for scope, states in page if is_lost(scope)):
                args = [str(self._now_us()), *pairs_of(states)]
                (outcome,) = await self._servers.run(MERGE, [Call([self._names.scope(scope)], args)])
                if isinstance(outcome, (Refused, Unheard)):
                    raise ConnectionError(outcome.reason)
        await self._tell(epochs, "done")

    async def _tell(self, epochs: Sequence[str], state: str) -> None:
        for epoch in epochs:
            place = self._names.common(f"fill:{epoch}")
            await self._servers.ask("HSET", place, self._me, f"{state} {self._now_us()}")
            await self._servers.ask("EXPIRE", place, 86_400)

    async def _finish(self, epoch: str, markers: Sequence[str]) -> None:
        """Make an epoch valid once everybody who is filling has done so, and the time to come is over."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._since.setdefault(epoch, now_s) < self._gather_s:
            return
        states: Mapping[bytes, bytes] | Sequence[bytes]
        states = await self._servers.ask("HGETALL", self._names.common(f"fill:{epoch}"))
        values = states.values() if isinstance(states, Mapping) else states[1::2]
        for value in values:
            state, _, at_us = value.decode().partition(" ")
            if state == "busy" and self._now_us() - int(at_us) < SILENT_S * 1_000_000:
                return
        await self._servers.run(FINISH, [Call([marker], [epoch]) for marker in markers])


def _reason(error: BaseException) -> str:
    """Why Redis cannot be asked: its own code, or what kind of failure it was; never what it quotes."""
    word = str(error).split(" ", 1)[0].rstrip(":")
    return word if word.isupper() and word.isalpha() else type(error).__name__
