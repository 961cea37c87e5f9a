"""The head that goes to the upstream, as the rule and the upstream's own limit want it."""

from gateway.core.problems import TooLarge
from gateway.core.rules import Rule
from gateway.core.target import Target
from gateway.proxy.request import Request
from gateway.proxy.request_head import Route, request_head
from gateway.proxy.stripping import ASKS_PLAINLY, NOT_PLAIN


def outgoing_head(
    request: Request, target: Target, route: Route, rule: Rule, strip: frozenset[bytes], request_id: str
) -> bytes:
    """The head of ``request`` under ``rule``, less the fields ``strip``; arguments and errors of ``request_head``.

    Where it would be longer than the upstream reads, X-Request-ID and then Via are left out: what tells of the client
    is not, or a client could hide behind long fields. Raises ``TooLarge`` where even that is too long.
    """
    plainly = bool(rule.strip_json)
    if plainly:
        strip |= NOT_PLAIN
    wire = request_head(request, target, route, strip, request_id)
    if plainly:
        wire = _and(wire, ASKS_PLAINLY)
    most = route.head_bytes
    if most is None or len(wire) <= most:
        return wire
    wire = request_head(request, target, route, strip)
    if plainly:
        wire = _and(wire, ASKS_PLAINLY)
    if len(wire) > most:
        via = b"Via: 1.%d %b\r\n" % (request.minor, route.forwarding.name)
        before, _, behind = wire.rpartition(via)
        wire = before + behind
    if len(wire) > most:
        raise TooLarge(f"The upstream reads {most} bytes of request line and headers, and this is more.")
    return wire


def _and(wire: bytes, line: bytes) -> bytes:
    """A head with one more line."""
    return wire[:-2] + line + b"\r\n"
