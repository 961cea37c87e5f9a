"""What a request line asks for, looked up once for each spelling: the fast lane's view of a snapshot."""

from gateway.core.hop_by_hop import HOP_BY_HOP
from gateway.core.problems import Problem
from gateway.core.rules import Rule
from gateway.metering.snapshot import REMEMBERED_BYTES, REMEMBERED_LINES
from gateway.proxy.callers import Callers
from gateway.proxy.ended import said_of
from gateway.proxy.errand import Errand
from gateway.proxy.outgoing import DROPPED_BY_RULES, dropped_by
from gateway.proxy.plain_request import FieldBook, read_line
from gateway.proxy.running import Running

_NOT_TAKEN = frozenset({"TRACE", "CONNECT"})


class Errands:
    """The errands of one running configuration, what fields mean in it, and who asks. ``known``: by request line."""

    __slots__ = ("_payings", "book", "callers", "known", "running")

    def __init__(self, running: Running) -> None:
        route, authenticator = running.route, running.authenticator
        self.running = running
        cut = route.dropped(frozenset()) - HOP_BY_HOP
        from_proxies = cut if route.forwarding.trusted_proxies else frozenset[bytes]()  # they are told on
        self.book = FieldBook(authenticator.looked_at | from_proxies, cut | DROPPED_BY_RULES)
        self.callers = Callers(running)
        self.known: dict[bytes, Errand | None] = {}
        self._payings: dict[tuple[tuple[str, ...], bool, str], int] = {}

    def find(self, line: bytes) -> Errand | None:
        """The errand of a request line that is not known yet; ``None``: it is for the reference path.

        Not remembered with a query, which may hold a credential.
        """
        errand = self._read(line)
        if b"?" not in line and len(line) <= REMEMBERED_BYTES:
            if len(self.known) >= REMEMBERED_LINES:
                self.known.clear()
            self.known[line] = errand
        return errand

    def _read(self, line: bytes) -> Errand | None:
        snapshot, said = self.running.snapshot, read_line(line)
        if said is None or said[0] in _NOT_TAKEN:
            return None
        method, raw_target = said
        try:
            target, match, path = snapshot.read(method, raw_target)
        except Problem:
            return None
        if match is None or target.raw != raw_target or target.authority is not None or snapshot.honours:
            return None
        rule = match.rule
        kinds = snapshot.cascade if rule.pays is None else rule.pays
        asks_workspace = "workspace" in kinds
        if rule.public and rule.charge == "on_success" and asks_workspace:
            return None  # whom only its path names pays when it is over
        path_workspace = snapshot.workspace_in(match.params) if match.params else None
        mark = (
            rule.public,
            asks_workspace and not rule.public,
            path_workspace,
            sorted(dropped_by(rule)),
            method == "OPTIONS",
        )
        return Errand(
            method,
            target,
            path,
            rule,
            path_workspace,
            asks_workspace and not rule.public,
            kinds,
            self._paying(kinds, rule),
            next(iter(rule.costs.values())) if len(rule.costs) == 1 else 0,
            rule.charge == "before" and not rule.refund_on,
            method == "HEAD",
            repr(mark).encode("utf-8", "backslashreplace"),
            said_of(method, path, rule),
        )

    def _paying(self, kinds: tuple[str, ...], rule: Rule) -> int:
        key = (kinds, rule.fallback, next(iter(rule.costs)))
        return self._payings.setdefault(key, len(self._payings))
