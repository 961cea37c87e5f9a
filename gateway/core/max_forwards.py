"""``Max-Forwards``: how many more hops an OPTIONS or a TRACE may take (RFC 9110, 7.6.2)."""

from collections.abc import Iterable

from gateway.core.hop_by_hop import RawHeaders, key_of, lines
from gateway.core.problems import BadRequest

KEY = b"max-forwards"
LIMITED = frozenset({"OPTIONS", "TRACE"})
"""With other methods the field means nothing, and passes as it came."""
_MOST = 255
_DIGITS = 20
_SHOWN = frozenset({b"host", b"via", KEY})


def hops_left(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """How often the request may still be forwarded; ``None``: nothing is said. 0: we are whom it is meant for.

    Raises ``BadRequest`` where two readers could count differently.
    """
    said = [value for name, value in headers if key_of(name) == KEY]
    if not said:
        return None
    if len(said) > 1 or not said[0].isdigit() or len(said[0]) > _DIGITS:
        raise BadRequest("Max-Forwards is one number. Send it once, in digits.")
    return min(int(said[0]), _MOST)


def traced(raw_target: bytes, headers: RawHeaders, minor: int) -> bytes:
    """What the last hop of a TRACE reflects (RFC 9110, 9.3.8): which way it came, and nothing that could be a secret.

    The query may be one, and so may any field but these.
    """
    path = raw_target.partition(b"?")[0]
    shown = lines(field for field in headers if key_of(field[0]) in _SHOWN)
    return b"TRACE %b HTTP/1.%d\r\n%b\r\n" % (path, minor, shown)
