"""The story of one request: read its target, find its rule, find who asks, debit, forward, settle, write it down."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from gateway.clock import new_id, now_us
from gateway.core.answers import Answer
from gateway.core.cascade import Refusal
from gateway.core.max_forwards import KEY, LIMITED, hops_left
from gateway.core.override import overridden
from gateway.core.principal import Principal
from gateway.core.problems import NotFound, Problem
from gateway.core.query import without_parameters
from gateway.core.rules import Match
from gateway.core.scope import normalise_id
from gateway.core.target import Target
from gateway.identity.config import Identified
from gateway.identity.membership import Relayed
from gateway.metering.meter import Meter
from gateway.metering.visit import Visit
from gateway.proxy import answer
from gateway.proxy.chronicle import CLIENT_LEFT, Chronicle, Trip
from gateway.proxy.forward import follow, forward
from gateway.proxy.headers import answer_head
from gateway.proxy.outgoing import outgoing_head
from gateway.proxy.request import Request
from gateway.proxy.ride import Begun
from gateway.proxy.running import Live
from gateway.proxy.tunnels import Tunnels

OwnRoute = Callable[[Trip, Target], Awaitable[Answer]]
"""Answers what lies under the gateway's own prefixes. Raises a ``Problem``, ``NotFound`` where nothing is."""


class Handler:
    """Answers every request there is: by forwarding it, or by saying why not."""

    def __init__(self, live: Live, meter: Meter, own: OwnRoute, chronicle: Chronicle, tunnels: Tunnels) -> None:
        self._live = live
        self._meter = meter
        self._own = own
        self._chronicle = chronicle
        self._tunnels = tunnels

    async def __call__(self, request: Request) -> None:
        """Answer one request; whatever happens is answered, settled and written down exactly once."""
        trip = Trip(request, self._live.running, new_id(), now_us())
        self._chronicle.begin()
        await self._see_through(trip, self._serve(trip))

    async def go_on(self, request: Request) -> None:
        """Answer a request that the fast lane has begun."""
        begun = request.begun
        if begun is not None:
            await self._see_through(begun.trip, self._go_on(begun.trip, begun))

    async def _go_on(self, trip: Trip, begun: Begun) -> None:
        visit, unpaid = trip.visit, begun.unpaid
        if unpaid is not None and visit is not None and visit.bill is not None:
            outcome = await self._meter.conclude(visit, visit.bill, unpaid)
            if isinstance(outcome, Refusal):
                self._turn_away(trip, outcome)
                return
        await self._forward(trip, begun.wire, begun)

    async def _see_through(self, trip: Trip, story: Coroutine[Any, Any, None]) -> None:
        try:
            await story
        except Problem as problem:
            self._refuse(trip, problem)
        except Exception as error:
            if trip.request.head_sent:
                raise
            self._chronicle.failed(trip.id, error)
            self._refuse(trip, Problem("The gateway failed."))
        finally:
            self._close(trip)

    async def _serve(self, trip: Trip) -> None:
        request, running = trip.request, trip.running
        snapshot = running.snapshot
        target, match, trip.path = snapshot.read(request.method, request.raw_target)
        trip.query = target.query
        if match is None:
            await self._answer_own(trip, target)
            return
        if request.method in LIMITED and KEY in request.keys and hops_left(request.headers) == 0:
            self._respond(trip, answer.of_last_hop(request, snapshot, trip.id, cross_origin=trip.cross_origin))
            return
        if snapshot.honours:
            match = self._overridden(trip)
        preflight = request.method == "OPTIONS" and is_preflight(request)
        identified = await self._identify(trip, target, match, preflight=preflight)
        if identified.strip_query:
            target = replace(target, raw=without_parameters(target.raw, identified.strip_query))
        # Made before the debit: what cannot be forwarded is refused before it costs.
        wire = outgoing_head(request, target, running.route, match.rule, identified, trip.id)
        principal = await self._admit(trip, match, identified)
        if principal is None:
            return
        visit = trip.visit = Visit(trip.id, match.rule, principal, snapshot, trip.at_us)
        outcome = None if preflight else await self._meter.charge(visit)
        if isinstance(outcome, Refusal):
            self._turn_away(trip, outcome)
            return
        await self._forward(trip, wire)

    def _turn_away(self, trip: Trip, refusal: Refusal) -> None:
        snapshot, cross_origin = trip.running.snapshot, trip.cross_origin
        self._respond(trip, answer.of_refusal(refusal, snapshot, trip.id, trip.at_us, cross_origin=cross_origin))

    def _overridden(self, trip: Trip) -> Match:
        """The rule of the request that an upstream will understand which honours override fields."""
        request, snapshot = trip.request, trip.running.snapshot
        line = overridden(request.method, request.raw_target, request.headers, snapshot.honours)
        match = snapshot.read(*line).match
        if match is None:
            raise NotFound("An override header names one of the gateway's own routes. Ask for it directly.")
        return match

    async def _identify(self, trip: Trip, target: Target, match: Match, *, preflight: bool) -> Identified:
        """Who asks. A CORS preflight asks for nobody: browsers send it without credentials (Fetch, 4.8)."""
        request, running = trip.request, trip.running
        authenticator, rule = running.authenticator, match.rule
        if preflight:
            return authenticator.nobody(request.headers, request.peer)
        path_workspace = trip.path_workspace = running.snapshot.workspace_in(match.params) if match.params else None
        who = (request.headers, target.query, request.peer, trip.at_us)
        identified = authenticator.identify_now(*who, public=rule.public, path_workspace=path_workspace)
        if identified is None:
            identified = await authenticator.identify(*who, public=rule.public, path_workspace=path_workspace)
        trip.identified = identified
        return identified

    async def _admit(self, trip: Trip, match: Match, identified: Identified) -> Principal | None:
        """The principal inside its workspace, where a workspace may have to pay. ``None``: the refusal was relayed."""
        rule, running, workspace = match.rule, trip.running, identified.asked
        kinds = rule.pays if rule.pays is not None else running.snapshot.cascade
        if rule.public and rule.charge == "on_success" and "workspace" in kinds:
            return replace(identified.principal, workspace=self._claimed(trip, match))
        if workspace is None or "workspace" not in kinds or rule.public or not identified.principal.verified:
            return identified.principal
        membership = running.membership
        if membership.known(identified, workspace, trip.at_us) is not True:
            carried = running.authenticator.carried(trip.request.headers, trip.query)
            refusal = await membership.ask(identified, carried, workspace, trip.at_us)
            if refusal is not None:
                self._respond(trip, self._relayed(trip, refusal))
                return None
        return identified.within()

    def _claimed(self, trip: Trip, match: Match) -> str | None:
        """The workspace that a stranger's path names: it pays if the upstream accepts the request."""
        named = trip.running.snapshot.workspace_in(match.params)
        return None if named is None else normalise_id(named)

    def _relayed(self, trip: Trip, refusal: Relayed) -> Answer:
        """The upstream's own refusal, as it came."""
        fields = [*refusal.headers, (b"X-Request-ID", trip.id.encode())]
        if trip.cross_origin:
            fields += answer.cors_fields(trip.running.snapshot)
        return Answer(refusal.status, fields, refusal.body)

    async def _forward(self, trip: Trip, wire: bytes, begun: Begun | None = None) -> None:
        """Send it on, unless the lane has, and settle by how it went."""
        request, route = trip.request, trip.running.route
        join = partial(self._tunnels.join, trip) if request.upgrade else None
        try:
            if begun is not None and begun.error is not None:
                raise begun.error
            if begun is None or begun.relay is None:
                gone = await forward(request, wire, route, answer_head(trip), join)
            else:
                gone = await follow(request, begun.relay, route, begun.started)
            trip.forwarded = gone
        finally:
            await self._settle(trip)
        if gone.failure is not None:
            trip.problem = gone.failure
            if not trip.request.head_sent:
                raise gone.failure

    async def _settle(self, trip: Trip) -> None:
        visit, sent, status = trip.visit, trip.request.request_sent, told(trip)
        if visit is not None and (visit.outcome is None or visit.is_free(status, request_sent=sent)):
            await self._meter.settle(visit, status=status, request_sent=sent, now_us=now_us())

    def _refuse(self, trip: Trip, problem: Problem) -> None:
        """Answer it ourselves, and say what it cost all the same."""
        trip.problem = problem
        visit, sent = trip.visit, trip.request.request_sent
        charge = None if visit is None else visit.told(problem.status, request_sent=sent)
        snapshot, cross_origin = trip.running.snapshot, trip.cross_origin
        self._respond(
            trip, answer.of_problem(problem, snapshot, trip.id, trip.at_us, charge=charge, cross_origin=cross_origin)
        )

    async def _answer_own(self, trip: Trip, target: Target) -> None:
        """One of our routes, or 404: never forwarded."""
        request, snapshot = trip.request, trip.running.snapshot
        if is_preflight(request):
            asked = request.values(b"access-control-request-headers")
            self._respond(trip, answer.preflight(snapshot, trip.id, asked[0] if asked else None))
            return
        found = await self._own(trip, target)
        fields = [*found.fields, (b"X-Request-ID", trip.id.encode())]
        self._respond(trip, found._replace(fields=fields + (answer.cors_fields(snapshot) if trip.cross_origin else [])))

    def _respond(self, trip: Trip, said: Answer) -> None:
        if not trip.request.head_sent:
            trip.status = said.status
            trip.request.respond(said)

    def _close(self, trip: Trip) -> None:
        """The end of it: the record, the access log, the counters."""
        summary = self._chronicle.close(trip, now_us())
        if trip.visit is not None:
            self._meter.close(
                trip.visit,
                status=summary.status,
                latency_us=summary.latency_us,
                upstream_latency_us=summary.upstream_us,
            )


def told(trip: Trip) -> int:
    """The status that the meter settles by: the upstream's, else that of our own answer, else that the client left."""
    gone = trip.forwarded
    if gone is None:
        return Problem.status
    if gone.status is not None:
        return gone.status
    return CLIENT_LEFT if gone.failure is None else gone.failure.status


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight (Fetch, 4.8): free, because browsers send it on their own."""
    return (
        request.method == "OPTIONS" and b"origin" in request.keys and b"access-control-request-method" in request.keys
    )
