"""One open WebSocket, and what keeps it open: its age, its credential, and that somebody can pay for it."""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, TypedDict

from gateway.core.cascade import Refusal
from gateway.core.problems import Forbidden, Problem, StoreUnavailable
from gateway.core.rate_limit_fields import seconds_until
from gateway.identity.asking import NOBODY_KNOWS
from gateway.identity.carriers import Headers
from gateway.metering.meter import Meter
from gateway.metering.toll import PASSED, REFUSED, Purse, Toll
from gateway.metering.visit import Visit
from gateway.metrics import Metrics
from gateway.proxy.chronicle import Trip
from gateway.proxy.running import Live, Running
from gateway.proxy.way import Goodbye

POLICY, TRY_AGAIN, EMPTY = 1008, 1013, 4429
"""Close codes: RFC 6455, 7.4.1; IANA's registry; ours, after HTTP's 429."""
ASK_S = 10.0
"""Seconds between two times that others are asked about one WebSocket."""
_ABOUT_MEMBERSHIP = frozenset({403, 404})
"""Refusals that say that the caller is no member; others are about this moment."""
NEVER = float("inf")
_NEVER_US = 1 << 62

TOO_OLD = Goodbye(POLICY, "This connection has reached its greatest age. Connect again.")
EXPIRED = Goodbye(POLICY, "The credential has expired. Connect again with a new one.")
REVOKED = Goodbye(POLICY, "The credential is not accepted any more.")
CHANGED = Goodbye(POLICY, "The credential speaks for somebody else now. Connect again.")
NO_MEMBER = Goodbye(POLICY, "You do not belong to this workspace, or not any more.")
ENDED = Goodbye(POLICY, "What paid for this connection has ended, and there is nothing else to pay with.")
UNKNOWN = Goodbye(TRY_AGAIN, "Your budget cannot be checked at the moment. Try again shortly.")


class World(NamedTuple):
    """What wards live in. ``now_us``: the time."""

    live: Live
    meter: Meter
    metrics: Metrics
    now_us: Callable[[], int]


class Ward:
    """Follows the running configuration: whoever came under an earlier one is judged, and pays, by the present one.

    Only the rule stays the one that the handshake met. ``now``: the loop's time.
    """

    __slots__ = (
        "_ask_at",
        "_authenticator",
        "_changes",
        "_ends_at",
        "_needs_keys",
        "_purse",
        "_toll",
        "_trip",
        "_until_us",
        "_visit",
        "_world",
    )

    def __init__(self, trip: Trip, visit: Visit, world: World, now: float) -> None:
        rule = visit.rule
        frames = rule.of_frames()
        self._trip = trip
        self._visit = visit
        self._world = world
        self._toll = None if frames is None else Toll(world.meter, frames, trip.id)
        self._purse = Purse(frames or rule)
        self._ends_at = NEVER if rule.max_age_us is None else now + rule.max_age_us / 1_000_000
        self._authenticator = trip.running.authenticator
        self._changes = self._authenticator.changes
        self._until_us = self._expiry()
        self._needs_keys, self._ask_at = False, now

    def over(self, running: Running, now_us: int, now: float) -> Goodbye | None:
        """Why it is to end now, if it is. Raises ``Unresolved`` where that has to be fetched first."""
        if now >= self._ends_at:
            return TOO_OLD
        if self._trip.running is not running:
            # What nobody else uses any more is let go, however long this lasts.
            self._trip.running, self._visit.snapshot = running, running.snapshot
        if (goodbye := self._identity_over(running, now_us)) is not None:
            return goodbye
        solvent = self._purse.has_something(self._visit.principal, running.snapshot, now_us)
        return None if solvent else ENDED

    def doubts(self, running: Running, now_us: int, now: float) -> bool:
        """Whether others have to be asked if it may go on: for keys, or whether the caller is still a member."""
        return now >= self._ask_at and (self._needs_keys or self._member(running, now_us) is None)

    async def ask(self, running: Running, now_us: int, now: float) -> Goodbye | None:
        """Ask them. Who gives no answer ends nothing."""
        self._ask_at = now + ASK_S
        if self._needs_keys:
            who, how = self._who(now_us)
            with suppress(Problem):
                await running.authenticator.identify(*who, **how)
            if (goodbye := self._identity_over(running, now_us)) is not None:
                return goodbye
        with suppress(*NOBODY_KNOWS):
            return await self._membership_over(running, now_us, _ABOUT_MEMBERSHIP)
        return None

    async def pay(self) -> Visit | Goodbye:
        """See ``Payer``."""
        running, now_us = self._world.live.running, self._world.now_us()
        try:
            goodbye = self._identity_over(running, now_us) or await self._membership_over(running, now_us)
            if goodbye is not None:
                return goodbye
            assert self._toll is not None  # noqa: S101  (what has a gate has a toll)
            visit = await self._toll.charge(self._visit.principal, running.snapshot, now_us)
        except NOBODY_KNOWS:
            return UNKNOWN
        if isinstance(visit.outcome, Refusal):
            self._close(visit, REFUSED, "refused")
            return _empty(visit.outcome, running.snapshot.buy_url)
        return visit

    def passed(self, visit: Visit) -> None:
        """See ``Payer``."""
        self._close(visit, PASSED, "passed")

    async def dropped(self, visit: Visit) -> None:
        """See ``Payer``."""
        if self._toll is not None:
            await self._toll.give_back(visit, self._world.now_us())

    def _close(self, visit: Visit, status: int, outcome: str) -> None:
        if self._toll is not None:
            self._toll.close(visit, status, self._world.now_us())
        self._world.metrics.counters["websocket_messages"][visit.rule.name, outcome] += 1

    def _identity_over(self, running: Running, now_us: int) -> Goodbye | None:
        """Read the credential again where its time is over, or where what is accepted has changed."""
        authenticator = running.authenticator
        changes = authenticator.changes
        if authenticator is self._authenticator and changes == self._changes and now_us < self._until_us:
            return None
        expired = EXPIRED if now_us >= self._until_us else None
        known, (who, how) = self._trip.identified, self._who(now_us)
        self._needs_keys = False
        try:
            found = authenticator.identify_now(*who, **how)
        except StoreUnavailable:
            return expired  # an issuer's keys cannot be had just now, which is not the caller's fault
        except Problem:
            return expired or REVOKED
        if found is None or known is None:
            self._needs_keys = found is None
            return expired
        if (found.principal.user, found.asked) != (known.principal.user, known.asked):
            return CHANGED
        self._trip.identified = found
        self._authenticator, self._changes, self._until_us = authenticator, changes, self._expiry()
        return None

    def _expiry(self) -> int:
        identified = self._trip.identified
        credential = None if identified is None else identified.credential
        return _NEVER_US if credential is None or credential.expires_us is None else credential.expires_us

    def _who(self, now_us: int) -> tuple[tuple[Headers, bytes, str, int], "_How"]:
        """What the handshake said of its caller, as an ``Authenticator`` is asked."""
        request = self._trip.request
        how: _How = {"public": self._visit.rule.public, "path_workspace": self._trip.path_workspace}
        return (request.headers, self._trip.query, request.peer, now_us), how

    def _member(self, running: Running, now_us: int) -> bool | None:
        """Whether the workspace that pays is known to be still the caller's; ``None``: somebody has to say it."""
        principal, identified = self._visit.principal, self._trip.identified
        if principal.workspace is None or identified is None or not principal.verified:
            return True
        return running.membership.known(identified, principal.workspace, now_us) or None

    async def _membership_over(
        self, running: Running, now_us: int, decisive: frozenset[int] | None = None
    ) -> Goodbye | None:
        """Whether it is not, as for any request. Raises as ``NOBODY_KNOWS``.

        ``decisive``: only these statuses say no; ``None``: whatever is not a yes.
        """
        trip, identified, workspace = self._trip, self._trip.identified, self._visit.principal.workspace
        if self._member(running, now_us) or identified is None or workspace is None:
            return None
        try:
            carried = running.authenticator.carried(trip.request.headers, trip.query)
            refused = await running.membership.ask(identified, carried, workspace, now_us)
        except NOBODY_KNOWS:
            raise
        except Problem as problem:
            return NO_MEMBER if decisive is None or isinstance(problem, Forbidden) else None
        no = refused is not None and (decisive is None or refused.status in decisive)
        return NO_MEMBER if no else None


class _How(TypedDict):
    public: bool
    path_workspace: str | None


def _empty(refusal: Refusal, buy_url: str | None) -> Goodbye:
    """In the words of a 429, as short as a close frame wants them."""
    if refusal.ready_us is not None:
        wait = seconds_until(refusal.ready_us, refusal.at_us)
        return Goodbye(EMPTY, f"The budget is used up. It can pay this message in {wait} s.")
    return Goodbye(EMPTY, "The budget is used up." + ("" if buy_url is None else f" Buy more: {buy_url}"))
