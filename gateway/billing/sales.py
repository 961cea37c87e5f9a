"""What everything about selling stands on: the store, one provider, and the house's policy."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from gateway.core.problems import BadGateway, Conflict, Problem, Unavailable, Unprocessable
from gateway.payments.port import Account, Busy, Declined, Gone, Provider, ProviderError, Scheduled, Strange
from gateway.store.mandate import Actor, Mandate
from gateway.store.orders import OrderRow
from gateway.store.store import Store
from gateway.tasks import Tasks

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_LONGEST_URL = 2048
_SHORTLY = ((b"Retry-After", b"5"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What a customer has when a renewal failed and the grace is over: nothing, a plan, or a part of their own."""

    kind: Literal["off", "plan", "throttle"] = "off"
    plan: str | None = None
    percent: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """``return_origins``: where customers may be sent back to; ``None``: to any https origin.

    ``pending_us``: how long an unpaid order is left alone before the provider is asked. ``trials``: days by plan.
    """

    return_origins: frozenset[str] | None = None
    grace_us: int = 3 * DAY_US
    slack_us: int = 2 * HOUR_US
    then: Then = field(default_factory=Then)
    pending_us: int = 10 * 60_000_000
    trials: Mapping[str, int] = field(default_factory=dict)
    sync_every_us: int = 60_000_000
    per_second: float = 5.0


@dataclass(slots=True)
class Counts:
    """What has happened since the start, for metrics."""

    signals: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    repairs: int = 0
    unmatched: int = 0


class Sales:
    """One provider's sales. Work on one subscription is done one after the other."""

    def __init__(self, store: Store, provider: Provider, policy: Policy, now_us: Callable[[], int]) -> None:
        self.store, self.provider, self.policy, self.now_us = store, provider, policy, now_us
        self.counts = Counts()
        self.tasks = Tasks()
        self.wanted = asyncio.Event()
        """Set when the job has something to do before its time."""
        self._turns: dict[str, asyncio.Lock] = {}

    def mandate(self, kind: Literal["provider", "gateway"] = "provider") -> Mandate:
        """For what the provider says, or what our own jobs do."""
        return Mandate(Actor(kind, self.provider.name), self.now_us())

    async def check_seller(self, order: OrderRow) -> str:
        """Whose key it is, by name. Raises ``Strange`` if somebody else sold ``order``: nothing there can be asked."""
        account = await self.provider.admitted()
        if order.account is not None and not account.may_be(before := Account.named(order.account)):
            raise Strange(f"This was sold through {before}, and the key is of {account}: it stays as it is.")
        return account.name

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """One after the other for each ``name``."""
        lock = self._turns.setdefault(name, asyncio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and not getattr(lock, "_waiters", None):
                self._turns.pop(name, None)

    def check_return(self, url: str, field_: str) -> None:
        """Raises ``Unprocessable`` for a page to which customers may not be sent."""
        allowed = self.policy.return_origins
        if len(url) <= _LONGEST_URL and url.isprintable() and "\\" not in url and _leads_to(url, allowed):
            return
        problem = "must be an https URL" if allowed is None else "is not among payments.return_origins"
        raise Unprocessable(
            f"This cannot be used: {field_} {problem}.", content={"fields": [{"field": field_, "problem": problem}]}
        )


def _leads_to(url: str, allowed: frozenset[str] | None) -> bool:
    """Whether a URL leads to one of these origins; ``None``: to anywhere by https."""
    try:
        parts = urlsplit(url)
    except ValueError:  # half an IPv6 address
        return False
    known = parts.scheme == "https" if allowed is None else f"{parts.scheme}://{parts.netloc}".lower() in allowed
    return known and bool(parts.netloc) and "@" not in parts.netloc


@contextmanager
def asking() -> Iterator[None]:
    """Errors of a provider as problems for whoever asked us."""
    try:
        yield
    except ProviderError as error:
        raise _problem(error) from error


def _problem(error: ProviderError) -> Problem:
    content = {"reason": error.code or "provider"}
    if isinstance(error, Declined):
        return Conflict(f"The payment did not go through: {error.message}", content=content)
    if isinstance(error, Scheduled):
        return Conflict(error.message, content=content)
    if isinstance(error, Strange):  # no customer's matter, and no name for them to see
        return Unavailable("The payment provider is not set up as it was. Whoever runs this has to look at it.")
    if isinstance(error, Gone):
        return Conflict("The payment provider does not know this any more.", content=content)
    if error.retry:
        reason = error.message if isinstance(error, Busy) else "The payment provider cannot be reached just now."
        return Unavailable(f"{reason} Try again shortly.", content=content, headers=_SHORTLY)
    return BadGateway(f"The payment provider refused: {error.message}", content=content)
