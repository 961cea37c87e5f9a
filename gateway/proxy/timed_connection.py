"""A connection to an upstream whose exchanges may take only so long as a whole."""

from gateway.proxy.failures import UpstreamTimedOut
from gateway.proxy.response_parser import ResponseSink
from gateway.proxy.upstream import UpstreamConnection
from gateway.proxy.upstream_ends import Passenger


class TimedConnection(UpstreamConnection):
    """One whose exchanges must end within the keeper's ``total_timeout``, unless they become tunnels."""

    __slots__ = ("_until",)

    def begin(self, sink: ResponseSink, *, head_only: bool = False, upgrade: bool = False) -> None:
        """Start an exchange, and its time."""
        self._until = self._loop.time() + self._keeper.total_timeout
        super().begin(sink, head_only=head_only, upgrade=upgrade)

    def begin_ride(self, passenger: Passenger, wire: bytes, at_us: int) -> None:
        """Start an exchange, and its time."""
        self._until = self._loop.time() + self._keeper.total_timeout
        super().begin_ride(passenger, wire, at_us)

    def expire(self, now: float) -> None:
        """End the connection if it, or the exchange as a whole, was waited on for too long."""
        if self.busy and now >= self._until:
            self._fail(UpstreamTimedOut("The upstream's answer took too long.", request_sent=True))
        else:
            super().expire(now)
