"""What is kept of each request that was answered: one line in the access log, and the counters."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from gateway.core.principal import Principal
from gateway.core.problems import Problem
from gateway.identity.config import Identified
from gateway.log import AccessLog
from gateway.metering.visit import Visit
from gateway.metrics import Metrics
from gateway.proxy.access_line import Asked, Summary, outcome_of, told
from gateway.proxy.ended import count, seen, write
from gateway.proxy.forward import Forwarded
from gateway.proxy.request import Request
from gateway.proxy.running import Running

if TYPE_CHECKING:
    from gateway.proxy.ride import Ride

_log = structlog.get_logger(__name__)

TOGETHER_S = 0.1
_TICK_S = 0.01
_MOST_TOGETHER = 256
"""Or the loop would stand still for all others while they are counted."""
CLIENT_LEFT = 499
"""nginx's word for a client that did not wait for its answer."""


@dataclass(slots=True, eq=False)
class Trip:
    """One request on its way through the handler, with what each step found.

    ``path_workspace``: the workspace that its path names. ``goodbye``: the code with which we closed its WebSocket.
    """

    request: Request
    running: Running
    id: str
    at_us: int
    path: str | None = None
    query: bytes = b""
    identified: Identified | None = None
    visit: Visit | None = None
    forwarded: Forwarded | None = None
    problem: Problem | None = None
    status: int = 0
    path_workspace: str | None = None
    goodbye: int | None = None

    @property
    def cross_origin(self) -> bool:
        """Whether a browser's script asks from elsewhere (it sends ``Origin``)."""
        return b"origin" in self.request.keys

    @property
    def exposes(self) -> bool:
        """Whether that script may read the headers that we add."""
        return self.cross_origin and self.running.snapshot.allow_origin is not None


class Chronicle:
    """Writes the access log and counts. Never a query, a token or a header."""

    def __init__(
        self,
        metrics: Metrics,
        access: AccessLog | None,
        see: Callable[[Iterable[tuple[Principal, int]]], None] = lambda _who: None,
    ) -> None:
        """``see``: told who came by in the fast lane, see ``Meter``."""
        self._metrics = metrics
        self._access = access
        self._rides: list[Ride] = []
        self._begun = 0
        self._see: Callable[[Iterable[tuple[Principal, int]]], None] = see
        self._timer: asyncio.TimerHandle | None = None
        metrics.before_reading(self.catch_up)

    def begin(self) -> None:
        """A request has come."""
        self._metrics.in_flight += 1

    def begin_ride(self) -> None:
        """A request has come, and the lane has taken it."""
        self._metrics.in_flight += 1
        self._begun += 1

    async def finish(self, patience_s: float) -> None:
        """Wait until all that has begun has ended: no connection waits for a request whose client has left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while self._metrics.in_flight:  # noqa: ASYNC110  (once in a lifetime)
                    await asyncio.sleep(_TICK_S)

    def failed(self, id_: str, error: Exception) -> None:
        """A fault of ours. Not its message, which may quote the request."""
        stack = "".join(traceback.format_tb(error.__traceback__))
        _log.error("a request failed", request_id=id_, error=type(error).__name__, stack=stack)

    def close(self, trip: Trip, now_us: int) -> Summary:
        """A request has ended."""
        if self._rides:
            self.catch_up()  # the log is in the order of the ends
        summary = _summary(trip, now_us)
        rule = "" if trip.visit is None else trip.visit.rule.name
        outcome = outcome_of(trip.visit, trip.problem)
        metrics = self._metrics
        metrics.in_flight -= 1
        metrics.requests[rule, outcome, str(summary.status)] += 1
        metrics.request_duration.observe_us(summary.latency_us)
        if summary.upstream_us is not None:
            metrics.upstream_duration.observe_us(summary.upstream_us)
        if trip.problem is not None:
            metrics.problems[(trip.problem.code,)] += 1
        if self._access is not None:
            self._access.write(_line(trip, summary, rule, outcome))
        return summary

    def close_ride(self, ride: "Ride") -> None:
        """A request in the fast lane has ended. It is counted and written down with others that end soon."""
        self._metrics.in_flight -= 1
        rides = self._rides
        rides.append(ride)
        if len(rides) == 1:
            self._timer = asyncio.get_running_loop().call_later(TOGETHER_S, self.catch_up)
        elif len(rides) >= _MOST_TOGETHER:
            self.catch_up()

    def catch_up(self) -> None:
        """Count and write down what has ended in the fast lane: many at once cost less than one at a time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._metrics.fast_lane_requests[()] += self._begun
        self._begun = 0
        if not self._rides:
            return
        rides, self._rides = self._rides, []
        count(rides, self._metrics)
        self._see(seen(rides))
        if self._access is not None:
            write(rides, self._access)


def _summary(trip: Trip, now_us: int) -> Summary:
    gone, status, upstream_us = trip.forwarded, trip.status, None
    if gone is not None:
        status, upstream_us = status or gone.status or 0, gone.upstream_us
    if trip.request.client_left and not trip.request.head_sent:
        status = CLIENT_LEFT
    return Summary(status, max(0, now_us - trip.at_us), upstream_us)


def _line(trip: Trip, summary: Summary, rule: str, outcome: str) -> dict[str, object]:
    """The access log's line of a request, with what is odd about it."""
    request, gone = trip.request, trip.forwarded
    asked = Asked(request.method, trip.path, request.peer, trip.identified)
    line = told(asked, summary, trip.visit, rule, outcome, id_=trip.id, at_us=trip.at_us)
    line["bytes_in"], line["bytes_out"] = request.bytes_in, 0 if gone is None else gone.bytes_out
    if trip.problem is not None:
        line["problem"] = trip.problem.code
    if trip.goodbye is not None:
        line["websocket_close"] = trip.goodbye
    elif request.client_left:
        line["client_left"] = True
    return line
