"""What a request line asks for, looked up once for each spelling: the fast lane's view of a snapshot."""

from gateway.core.hop_by_hop import HOP_BY_HOP
from gateway.core.max_forwards import LIMITED
from gateway.core.problems import Problem
from gateway.metering.snapshot import REMEMBERED_BYTES, REMEMBERED_LINES
from gateway.proxy.ended import said_of
from gateway.proxy.errand import Errand
from gateway.proxy.plain_request import FieldBook, PlainReader
from gateway.proxy.running import Running

_NOT_TAKEN = LIMITED | {"HEAD", "CONNECT"}


class Errands:
    """The errands of one running configuration, and what fields mean in it."""

    __slots__ = ("_known", "book", "running")

    def __init__(self, running: Running) -> None:
        route, authenticator = running.route, running.authenticator
        self.running = running
        self.book = FieldBook(authenticator.looked_at | (route.dropped(frozenset()) - HOP_BY_HOP))
        self._known: dict[bytes, Errand | None] = {}

    def find(self, line: bytes, reader: PlainReader) -> Errand | None:
        """The errand of a request line; ``None``: it is for the reference path.

        Not remembered with a query, which may hold a credential.
        """
        try:
            return self._known[line]
        except KeyError:
            errand = self._read(line, reader.method, reader.target)
        if b"?" not in line and len(line) <= REMEMBERED_BYTES:
            if len(self._known) >= REMEMBERED_LINES:
                self._known.clear()
            self._known[line] = errand
        return errand

    def _read(self, line: bytes, method: bytes, raw_target: bytes) -> Errand | None:
        snapshot, name = self.running.snapshot, method.decode("latin-1")
        if name in _NOT_TAKEN or line != b"%b %b HTTP/1.1" % (method, raw_target):
            return None
        try:
            target, match, path = snapshot.read(name, raw_target)
        except Problem:
            return None
        if match is None or target.raw != raw_target or target.authority is not None or snapshot.honours:
            return None
        rule = match.rule
        asks_workspace = "workspace" in (snapshot.cascade if rule.pays is None else rule.pays)
        if rule.strip_json or (rule.public and rule.charge == "on_success" and asks_workspace):
            return None
        path_workspace = snapshot.workspace_in(match.params) if match.params else None
        asks_workspace = asks_workspace and not rule.public
        return Errand(name, target, path, rule, path_workspace, asks_workspace, said_of(name, path, rule))
