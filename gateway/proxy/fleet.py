"""All addresses of an upstream: a pool for each, chosen by ``balance``, found by ``names``, checked by ``health``.

With one address ``take`` and ``acquire`` are its pool's own, so that a request pays for nothing that it does not need.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from gateway.proxy.balance import Balance, Patience, Standing
from gateway.proxy.endpoint import Endpoint
from gateway.proxy.failures import NO_CONNECTION, UpstreamFailed
from gateway.proxy.health import HealthCheck, ailment
from gateway.proxy.names import Names, Placed, Resolve, resolve
from gateway.proxy.pool import PoolLimits, UpstreamPool
from gateway.proxy.upstream import UpstreamConnection
from gateway.tasks import Tasks

_log = structlog.get_logger(__name__)
_QUIET_S = 10.0
"""An address that fails now and then is spoken of this often."""


@dataclass(frozen=True, slots=True)
class FleetPolicy:
    """How addresses are found, judged and tried.

    ``retries``: how many other addresses are tried for a request that none has got yet. ``resolve_s``: how long the
    addresses of a name count before it is asked for again. ``health``: ``None``: no checks.
    """

    retries: int = 2
    resolve_s: float = 30.0
    patience: Patience = field(default_factory=Patience)
    health: HealthCheck | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted: ``ejections`` by address and cause (``failures``, ``check``), ``retries`` on another address."""

    ejections: Counter[tuple[str, ...]] = field(default_factory=Counter)
    retries: Counter[tuple[str, ...]] = field(default_factory=Counter)


class Acquire(Protocol):
    """See ``Connections``."""

    def __call__(self, *, fresh: bool = False) -> Coroutine[Any, Any, UpstreamConnection]:
        """A connection."""
        ...


class Member:
    """One address with its pool and its standing. ``rank``: see ``Placed``. ``quiet_until``: no more log lines."""

    __slots__ = ("endpoint", "pool", "quiet_until", "rank", "standing")

    def __init__(self, endpoint: Endpoint, rank: int, patience: Patience) -> None:
        self.endpoint = endpoint
        self.rank = rank
        self.standing = Standing(patience)
        self.quiet_until = 0.0
        self.pool: UpstreamPool

    @property
    def load(self) -> int:
        """Its requests now."""
        return self.pool.load


class Fleet:
    """Connections to any of ``origins``. Made inside the event loop; ``retire`` or ``close`` ends what it began.

    ``authority``: of the first origin. ``take``, ``acquire``: see ``Connections``.
    """

    take: Callable[[], UpstreamConnection | None]
    acquire: Acquire

    def __init__(
        self,
        origins: Sequence[Endpoint],
        limits: PoolLimits | None = None,
        policy: FleetPolicy | None = None,
        tally: Tally | None = None,
        find: Resolve = resolve,
    ) -> None:
        self.authority = origins[0].authority
        self._limits = limits or PoolLimits()
        self._policy = policy or FleetPolicy()
        self._tally = tally or Tally()
        self._loop = asyncio.get_running_loop()
        self._balance = Balance()
        self._members: tuple[Member, ...] = ()
        self._names = Names(origins, self._policy.resolve_s, find, self._renew)
        self._renew()
        self._tasks = Tasks()
        self._chores: list[asyncio.Task[None]] = []
        if self._names.dynamic:
            self._chores.append(self._tasks.start(self._names.keep_looking(), "find the upstream's addresses"))
        if self._policy.health is not None:
            self._chores.append(self._tasks.start(self._keep_checking(self._policy.health), "check the upstream"))

    def counts(self) -> Mapping[tuple[str, ...], float]:
        """Connections by state, for the gauge ``upstream_connections``."""
        total: Counter[tuple[str, ...]] = Counter({("idle",): 0, ("busy",): 0, ("connecting",): 0})
        for member in self._members:
            total.update({key: int(count) for key, count in member.pool.counts().items()})
        return total

    def up(self) -> Mapping[tuple[str, ...], float]:
        """By address, whether requests go there, for the gauge ``upstream_up``."""
        now = self._loop.time()
        return {(member.endpoint.label,): int(member.standing.is_up(now)) for member in self._members}

    def retire(self) -> None:
        """Keep no connection from now on: only the requests that already have this fleet are still served."""
        for chore in self._chores:
            chore.cancel()
        for member in self._members:
            member.pool.retire()

    async def close(self) -> None:
        """Close the kept connections, and those in use as soon as they are free. No new ones are opened."""
        await self._tasks.close()
        for member in self._members:
            await member.pool.close()

    def _renew(self) -> None:
        """Take the addresses that there are now; those that have gone finish what they have."""
        places = self._names.placed()
        known = {Placed(member.endpoint, member.rank): member for member in self._members}
        self._members = tuple(known[place] if place in known else self._member(*place) for place in places)
        for gone in known.keys() - set(places):
            known[gone].pool.retire()
        if len(self._members) == 1:
            pool = self._members[0].pool
            self.take, self.acquire = pool.take, pool.acquire
        else:
            self.take, self.acquire = self._take, self._acquire

    def _member(self, endpoint: Endpoint, rank: int) -> Member:
        member = Member(endpoint, rank, self._policy.patience)
        member.pool = UpstreamPool(
            endpoint, self._limits, lambda why: self._failed(member, why), lambda: self._answered(member)
        )
        return member

    def _take(self) -> UpstreamConnection | None:
        members = self._members
        member = self._balance.choose(members, self._loop.time())
        if member is None or (connection := member.pool.take()) is None:
            return None
        self._balance.served(members, member)
        return connection

    async def _acquire(self, *, fresh: bool = False) -> UpstreamConnection:
        """A connection to the best address that gives one: not one byte of the request has been written yet."""
        if not self._members:
            await self._first_members()
        tried: list[Member] = []
        while True:
            members = self._members
            member = self._balance.choose(members, self._loop.time(), tried)
            if member is None:
                raise UpstreamFailed("The upstream has no address.", request_sent=False)
            try:
                connection = await member.pool.acquire(fresh=fresh)
            except NO_CONNECTION:
                tried.append(member)
                if len(tried) > self._policy.retries or len(tried) >= len(members):
                    raise
                self._tally.retries[()] += 1
                continue
            if members is self._members:
                self._balance.served(members, member)
            return connection

    async def _first_members(self) -> None:
        """Wait until the names have been looked up once."""
        self._names.look_again()
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                await self._names.looked.wait()
        except TimeoutError:
            raise UpstreamFailed("The upstream's name cannot be resolved.", request_sent=False) from None

    def _failed(self, member: Member, why: str) -> None:
        """A connect or an exchange failed: several in a row, and others are asked instead."""
        now, label = self._loop.time(), member.endpoint.label
        self._names.look_again()
        out_s = member.standing.failed(now)
        if out_s is not None and len(self._members) > 1:
            self._tally.ejections[label, "failures"] += 1
            _log.warning("an upstream address is left out", address=label, seconds=out_s, reason=why)
        elif now >= member.quiet_until:
            _log.warning("an upstream address fails", address=label, reason=why)
        else:
            return
        member.quiet_until = now + _QUIET_S

    def _answered(self, member: Member) -> None:
        member.standing.failures = 0

    async def _keep_checking(self, check: HealthCheck) -> None:
        """Until cancelled."""
        while True:
            await asyncio.gather(*(self._check(member, check) for member in self._members))
            await asyncio.sleep(check.interval_s)

    async def _check(self, member: Member, check: HealthCheck) -> None:
        reason = await ailment(member.endpoint, check)
        if not member.standing.checked(passed=reason is None):
            return
        label = member.endpoint.label
        if reason is None:
            _log.info("an upstream address is healthy again", address=label)
        else:
            self._tally.ejections[label, "check"] += 1
            _log.warning("an upstream address fails its checks", address=label, reason=reason)
