"""Who may be at the other end of an upstream connection, besides a ``ResponseSink``."""

from typing import Protocol

from gateway.proxy.plain_answer import AnswerReader
from gateway.proxy.response_parser import ResponseSink


class TunnelEnd(Protocol):
    """Who has the connection's bytes after 101."""

    def from_upstream(self, data: bytes) -> None:
        """Bytes from the upstream."""

    def upstream_eof(self) -> bool:
        """The upstream sends no more; whether to keep its connection open."""

    def upstream_writable(self) -> None:
        """What was written has gone out."""

    def upstream_lost(self) -> None:
        """The upstream's connection is gone."""


class Passenger(Protocol):
    """A request in the fast lane: it takes the answer if that is plain, else somebody else does.

    ``sent_us``: when it was written; 0: it was not. ``head_only``: it is HEAD, so no body follows.
    """

    sent_us: int
    head_only: bool

    def answered(self, status: int, plain: AnswerReader) -> bool:
        """The whole answer; whether it was taken. If so, ``end_ride`` was called."""

    def hand_over(self) -> ResponseSink:
        """Who takes the answer as it comes, plain or not, or hears that there is none."""
