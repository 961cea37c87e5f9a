"""The canonical request target: gateway and upstream must see the same request, or a spelling becomes a discount.

``canonical_target`` reads a target as the upstream's router does. Two spellings that such a router sends to one handler
have equal segments, or the odd one is refused; where routers of one family differ, the form they differ on is refused.
What was matched is what is forwarded: ``Target.raw``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from gateway.core.path import loosest, read_path, without_end
from gateway.core.problems import BadRequest
from gateway.core.profile import PROFILES, Profile

__all__ = ["PROFILES", "Profile", "Target", "canonical_target", "under_prefixes"]


@dataclass(frozen=True, slots=True)
class Target:
    """``raw`` goes on the upstream's request line as it is (path and query); ``segments`` are what rules match.

    ``/`` has no segments; ``/a/`` has ``("a", "")`` where a trailing slash is significant; ``*`` has ``("*",)``.
    Segments never hold lone surrogates: bytes that are not UTF-8 stand there percent-encoded. ``query`` is without
    ``?``. ``authority`` is what an absolute-form target named: it replaces ``Host`` (RFC 9112, 3.2.2).
    ``plain``: the path has nothing that routers could read in two ways.
    """

    raw: bytes
    segments: tuple[str, ...]
    query: bytes
    authority: bytes | None = None
    plain: bool = False

    @property
    def path(self) -> str:
        """The canonical path, printable on one line, for logs and people."""
        if self.raw == b"*":
            return "*"
        return "/" + "/".join(map(_shown, self.segments))


# A path without escapes, parameters, backslashes, dot segments and empty inner segments: every profile agrees on it.
_FIRST, _NEXT = rb"[^\x00-\x20#%/;?\\\x7f-\xff.]", rb"[^\x00-\x20#%/;?\\\x7f-\xff]"
_SEGMENT = _FIRST + _NEXT + rb"*"
_PLAIN = re.compile(rb"(/(?:" + _SEGMENT + rb"(?:/" + _SEGMENT + rb")*/?)?)(?:\?([^\x00-\x20#\x7f]*))?")
_CONTROL = re.compile(rb"[\x00-\x20\x7f]")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(.*)", re.DOTALL)
_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,=-]+)(?::[0-9]*)?")
_SHOWN_AS_IT_IS = "!\"$%&'()*+,:;<=>?@[\\]^`{|}~"


def canonical_target(method: str, raw: bytes, profile: Profile) -> Target:
    """Read a request target as the upstream's router will; ``BadRequest`` where that is not one thing only.

    ``raw`` is as it came on the request line. Bytes from 0x80 on are allowed: they equal their percent-encoding where
    the profile decodes, and are themselves where it does not.
    """
    plain = _PLAIN.fullmatch(raw)
    if plain is None or method == "CONNECT":
        return _read(method, raw, profile)
    path, query = plain.groups(b"")
    text = path.decode("ascii")
    if profile.case == "insensitive":
        text = text.lower()
    return Target(raw, without_end(text[1:].split("/"), profile), query, None, True)


def _read(method: str, raw: bytes, profile: Profile) -> Target:
    if _CONTROL.search(raw):
        raise BadRequest(
            "The request target contains a space or a control byte, which RFC 9112 forbids. Percent-encode it."
        )
    if b"#" in raw:
        raise BadRequest("The request target contains a fragment, which is never sent. Leave `#…` out, or write %23.")
    if method == "CONNECT":
        raise BadRequest("CONNECT asks for a tunnel, and this gateway only forwards to its own upstream. Use GET.")
    authority = None
    if not raw.startswith(b"/") and raw != b"*":
        raw, authority = _origin_form(method, raw)
    if raw == b"*":
        if method != "OPTIONS":
            raise BadRequest("The target `*` means the whole server and goes with OPTIONS only. Name a path.")
        return Target(raw, ("*",), b"", authority)
    path, _, query = raw.partition(b"?")
    return Target(raw, read_path(path, profile), query, authority)


def _origin_form(method: str, raw: bytes) -> tuple[bytes, bytes]:
    """RFC 9112, 3.2.2: a server accepts absolute-form; the path (or ``*``, 3.2.4) and the authority it named."""
    found = _ABSOLUTE.fullmatch(raw)
    if found is None:
        raise BadRequest("The request target is neither a path nor an http URL. Start it with `/`.")
    authority, rest = found.groups()
    if not _AUTHORITY.fullmatch(authority):
        raise BadRequest("The URL in the request target names no plain host and port. Write http://host/path.")
    if not rest and method == "OPTIONS":
        return b"*", authority
    return (rest if rest.startswith(b"/") else b"/" + rest), authority


def _shown(segment: str) -> str:
    odd = "/" in segment or not segment.isprintable()
    return quote(segment, safe=_SHOWN_AS_IT_IS) if odd else segment


def under_prefixes(target: Target, prefixes: tuple[str, ...]) -> bool:
    """Whether any reading of the target lies under one of the gateway's own ``prefixes`` (``/billing``, ``/-/``).

    Such a target is ours or 404, never forwarded, whatever the profile: case folded, decoded (also what was encoded
    several times), slashes merged, backslashes as slashes, parameters cut, dots resolved or not. A prefix is met by
    whole segments: ``/billing-admin`` is not under ``/billing``. ``ValueError`` for a prefix without segments.
    """
    plain, owned = _owned(prefixes)
    if target.plain:
        return plain.match(target.raw) is not None
    walked: list[str] = []
    for name in loosest(target.raw.partition(b"?")[0]):
        if name != "..":
            walked.append(name)
        elif walked:
            walked.pop()
        if tuple(walked) in owned:
            return True
    return False


@lru_cache(maxsize=16)
def _owned(prefixes: tuple[str, ...]) -> tuple[re.Pattern[bytes], frozenset[tuple[str, ...]]]:
    owned = frozenset(tuple(loosest(prefix.encode())) for prefix in prefixes)
    if () in owned:
        raise ValueError("An own prefix needs a segment: `/` would leave nothing to forward.")
    names = "|".join("/".join(map(re.escape, prefix)) for prefix in owned) or "(?!)"
    return re.compile(f"/(?:{names})(?:[/?]|$)".encode(), re.IGNORECASE), owned
