"""What came to one of our own routes, and who sent it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

from gateway.core.hop_by_hop import RawHeaders, values
from gateway.core.problems import Forbidden
from gateway.core.scope import Scope
from gateway.identity.config import Identified
from gateway.store.mandate import Actor, Mandate

Via = Literal["jwt", "api_key", "peer", "admin_login", "anonymous"]
"""How we know who it is; ``admin_login``: by the password of the gateway itself."""
M = TypeVar("M")


@dataclass(slots=True, eq=False)
class Knock:
    """A request as it came to our door. ``caller``: once it is known who that is.

    ``segments``: below the prefix, in lower case, without the empty one of a trailing slash. ``query``: without ``?``.
    ``body``: reads all of it, up to so many bytes.
    """

    method: str
    segments: tuple[str, ...]
    query: bytes
    headers: RawHeaders
    peer: str
    id: str
    at_us: int
    body: Callable[[int], Awaitable[bytes]]
    caller: "Caller | None" = None

    def header(self, name: bytes) -> bytes | None:
        """The field ``name`` (in lower case), its lines joined (RFC 9110, 5.3); ``None``: it is not there."""
        found = values(self.headers, name)
        return b", ".join(found) if found else None


@dataclass(slots=True, eq=False)
class Caller:
    """Who calls. ``user``: ``None`` for a workspace's key, the admin's login and strangers.

    ``asked``: the workspace that the request names, and nothing more than named. ``workspace``: the same once it was
    established that the caller may act for it, on routes that say so. ``address``: the client's network.
    ``admin``: a global admin, ``None``: nobody has asked yet (``is_admin`` does).
    """

    via: Via
    user: str | None = None
    address: str | None = None
    asked: str | None = None
    workspace: str | None = None
    policies: frozenset[str] = frozenset()
    identified: Identified | None = None
    admin: bool | None = None
    ask_admin: Callable[[], Awaitable[bool]] | None = None

    async def is_admin(self) -> bool:
        """Whether this is a global admin. ``False`` also while the upstream, which would know, does not say."""
        if self.admin is None:
            self.admin = self.ask_admin is not None and await self.ask_admin()
        return self.admin

    @property
    def scope(self) -> Scope:
        """Whom it acts for: the workspace, where one was named and established, else the user."""
        if self.workspace is not None:
            return Scope("workspace", self.workspace)
        if self.user is not None:
            return Scope("user", self.user)
        raise Forbidden("This credential is nobody's own: name a workspace, or use a user's credential.")


class Precondition(NamedTuple):
    """What ``If-Match`` and ``If-None-Match`` say. ``revision``: the edit is for that one only."""

    revision: int | None = None
    none_match: tuple[str, ...] = ()


ANY = Precondition()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a route: what its handler gets. ``params``: of the path. ``raw``: the body, where it is read."""

    knock: Knock
    caller: Caller
    params: Mapping[str, str] = field(default_factory=dict)
    precondition: Precondition = ANY
    asked: object = None
    said: object = None
    raw: bytes = b""

    @property
    def now_us(self) -> int:
        """When it came."""
        return self.knock.at_us

    @property
    def mandate(self) -> Mandate:
        """Who asks for a change of the store, and which revision it is based on."""
        caller = self.caller
        id_ = "login" if caller.via == "admin_login" else caller.user or caller.workspace
        shown = None if caller.identified is None else caller.identified.credential
        key = None if shown is None else shown.key
        actor = Actor("admin" if caller.admin else "user", id_, caller.address, self.knock.id, caller.via, key)
        return Mandate(actor, self.now_us, self.precondition.revision)

    def query(self, model: type[M]) -> M:
        """The query, of the model that the route's ``asks`` names."""
        return _of(model, self.asked)

    def body(self, model: type[M]) -> M:
        """The body, of the model that the route's ``takes`` names."""
        return _of(model, self.said)


def _of(model: type[M], value: object) -> M:
    if not isinstance(value, model):
        raise TypeError(f"the route does not declare {model.__name__}")
    return value
