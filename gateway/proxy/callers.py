"""Who asks, looked up once: the fast lane's view of identities, of what they may spend, and of what is said of them.

A caller is known by the fields that say so, the address they come from and what the rule makes of them, all under one
keyed hash: there is no credential in here. It belongs to one running configuration, and is gone when issuers or keys
change; the authenticator's own memory, which outlives a reload, is asked then.
"""

import orjson

from gateway.core.hop_by_hop import RawHeaders, key_of
from gateway.core.problems import Problem
from gateway.core.rules import Rule
from gateway.identity.cache import Digest
from gateway.identity.config import Identified
from gateway.metering.catalog import Unresolved
from gateway.metering.stand import Stand
from gateway.proxy.client_connection import ClientConnection
from gateway.proxy.errand import Errand
from gateway.proxy.outgoing import dropped_by, said_by
from gateway.proxy.plain_request import Shape
from gateway.proxy.request_head import told
from gateway.proxy.request_parser import HOST
from gateway.proxy.running import Running

_REMEMBERED = 65_536
_LONGEST = 2_048
"""Bytes of what is said of a caller: a client may write much into ``Host``, and that is not kept for all of them."""
_ALWAYS = (-(2**63), 2**63)


class Caller:
    """Somebody who asks in one way. Good from ``start_us`` until ``end_us``.

    ``principal``: inside its workspace, once membership is known. ``asks``: membership has to be looked at each time.
    ``free``: nobody is asked to pay, and nobody is ``named``: it is a preflight, which browsers send on their own.
    ``lines``: what goes upstream behind the request id, up to the empty line. ``cut``: names of fields that do not go
    on. ``whose``: what the log says. ``stands``: by what errands ask for (``Errand.paying``).
    """

    __slots__ = ("asks", "cut", "end_us", "free", "identified", "lines", "principal", "stands", "start_us", "whose")

    def __init__(
        self, identified: Identified, lines: bytes, cut: tuple[bytes, ...], peer: str, *, free: bool = False
    ) -> None:
        self.identified = identified
        self.free = free
        self.lines = lines
        self.cut = cut
        self.stands: dict[int, Stand] = {}
        self.asks = False
        self.principal = identified.principal
        self.start_us, self.end_us = _ALWAYS
        if (credential := identified.credential) is not None:
            self.start_us = self.start_us if credential.not_before_us is None else credential.not_before_us
            self.end_us = self.end_us if credential.expires_us is None else credential.expires_us
        self.whose = _whose(identified, peer)

    @property
    def named(self) -> Identified | None:
        """Who the log says it is."""
        return None if self.free else self.identified

    def stand(self, running: Running, errand: Errand, at_us: int) -> Stand | None:
        """What it may spend on such an errand, anew; ``None``: that has to be fetched, or nobody has vouched for it."""
        if not self.principal.verified:
            return None
        rule, snapshot = errand.rule, running.snapshot
        try:
            found = Stand(snapshot, self.principal, errand.kinds, rule, at_us)
        except Unresolved:
            return None
        self.stands[errand.paying] = found
        return found


class Callers:
    """The callers of one running configuration. Bounded: when it is full it begins anew."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._authenticator = running.authenticator
        self._known: dict[bytes, Caller] = {}
        self._keyed = Digest().keyed
        self._changes = self._authenticator.changes

    def find(
        self, client: ClientConnection, errand: Errand, shape: Shape, fields: dict[bytes, bytes], at_us: int
    ) -> Caller | None:
        """The caller of such a request; ``None``: the reference path finds out who asks, and says why not."""
        authenticator = self._authenticator
        if (authenticator.forgot if not authenticator.rotates else authenticator.changes) != self._changes:
            self._changes = authenticator.changes
            self._known.clear()
        query = errand.target.query
        if query and authenticator.query_matters(query):
            return self._make(client, errand, shape, fields, at_us)  # it says who asks, and is not in the key
        state = self._keyed.copy()
        state.update(b"\n".join((client.whence, errand.mark, shape.mark, *shape.pick(fields))))  # no value has an LF
        key = state.digest()
        caller = self._known.get(key)
        if caller is not None and caller.start_us <= at_us < caller.end_us:
            return caller
        caller = self._make(client, errand, shape, fields, at_us)
        if caller is not None and len(caller.lines) <= _LONGEST:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = caller
        return caller

    def _make(
        self, client: ClientConnection, errand: Errand, shape: Shape, fields: dict[bytes, bytes], at_us: int
    ) -> Caller | None:
        running, host = self._running, fields[shape.host]
        special = [(name, fields[name]) for name in shape.special]
        if any(value != value.rstrip(b" \t") for _, value in special) or not HOST.fullmatch(host):
            return None
        who = (special, errand.target.query, client.peer, at_us)
        rule = errand.rule
        preflight = shape.preflight and errand.method == "OPTIONS"
        try:
            identified = (
                self._authenticator.nobody(special, client.peer)
                if preflight
                else self._authenticator.identify_now(*who, public=rule.public, path_workspace=errand.path_workspace)
            )
        except Problem:
            return None
        if identified is None or (identified.strip_query and b"?" in errand.target.raw):
            return None
        caller = Caller(identified, *self._said(client, host, special, rule, identified), client.peer, free=preflight)
        workspace = identified.asked
        if workspace is not None and errand.asks_workspace and identified.principal.verified:
            caller.asks = not running.membership.lasting
            if not caller.asks and running.membership.known(identified, workspace, at_us) is not True:
                return None
            caller.principal = identified.within()
        return caller

    def _said(
        self, client: ClientConnection, host: bytes, special: RawHeaders, rule: Rule, identified: Identified
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """What goes upstream of this caller, and what does not."""
        route = self._running.route
        drop = route.dropped(identified.strip | dropped_by(rule))
        cut = tuple(name for name, _ in special if key_of(name) in drop)
        told_of = told(client, special, host, 1, route.forwarding)
        return b"".join((told_of, route.own, identified.said, said_by(rule), b"\r\n")), cut


def _whose(identified: Identified, peer: str) -> bytes:
    """What the log says of a caller, as members of an object."""
    principal = identified.principal
    said = {"proof": principal.proof, "user": principal.user, "workspace": identified.asked, "client": peer or None}
    return orjson.dumps(said)[1:-1]
