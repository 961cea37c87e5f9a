"""The head that goes to the upstream, as the rule and the upstream's own limit want it."""

from gateway.core.problems import TooLarge
from gateway.core.rules import Rule
from gateway.core.target import Target
from gateway.identity.config import Identified
from gateway.proxy.request import Request
from gateway.proxy.request_head import Route, request_head
from gateway.proxy.stripping import ASKS_PLAINLY, NOT_PLAIN

EXTENSIONS = frozenset({b"sec-websocket-extensions"})
DROPPED_BY_RULES = NOT_PLAIN | EXTENSIONS
"""All that ``dropped_by`` may say."""
_NOTHING: frozenset[bytes] = frozenset()


def dropped_by(rule: Rule) -> frozenset[bytes]:
    """Keys of request fields that do not go on under ``rule``: what they ask for could not be looked through."""
    dropped = NOT_PLAIN if rule.strip_json else _NOTHING
    return dropped if rule.frame_match is None else dropped | EXTENSIONS


def said_by(rule: Rule) -> bytes:
    """What goes on instead, as lines of a head."""
    return ASKS_PLAINLY if rule.strip_json else b""


def outgoing_head(
    request: Request, target: Target, route: Route, rule: Rule, identified: Identified, request_id: str
) -> bytes:
    """The head of ``request`` under ``rule``, as ``identified`` has it; arguments and errors of ``request_head``.

    Where it would be longer than the upstream reads, X-Request-ID, Via and the wish for a plain answer are left out, in
    this order: what tells of the client is not, or a client could hide behind long fields. Raises ``TooLarge`` where
    even that is too long.
    """
    strip, said, plainly = identified.strip, identified.said, said_by(rule)
    if dropped := dropped_by(rule):
        strip = strip | dropped
    wire = _and(request_head(request, target, route, strip, request_id), said + plainly)
    most = route.head_bytes
    if most is None or len(wire) <= most:
        return wire
    wire = _and(request_head(request, target, route, strip), said + plainly)
    for line in (b"Via: 1.%d %b\r\n" % (request.minor, route.forwarding.name), plainly):
        if line and len(wire) > most:
            before, _, behind = wire.rpartition(line)
            wire = before + behind
    if len(wire) > most:
        raise TooLarge(f"The upstream reads {most} bytes of request line and headers, and this is more.")
    return wire


def _and(wire: bytes, lines: bytes) -> bytes:
    """A head with more lines."""
    return b"".join((wire[:-2], lines, b"\r\n")) if lines else wire
