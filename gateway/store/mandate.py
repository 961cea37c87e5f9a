"""Who asks for a change."""

from typing import Literal, NamedTuple

ActorKind = Literal["admin", "user", "stranger", "provider", "command", "gateway"]


class Actor(NamedTuple):
    """Who changes something, and from where, for the audit log. ``request_id``: of the request that said so.

    Kinds: an operator, a customer, somebody who was refused, a payment provider's word, the command line, the gateway's
    own jobs. ``via``: how it is known who it is; ``key``: the id of the API key that was shown.
    """

    kind: ActorKind
    id: str | None = None
    address: str | None = None
    request_id: str | None = None
    via: str | None = None
    key: str | None = None


class Mandate(NamedTuple):
    """Who asks for a change, and when. ``if_revision``: only if the row is still at that one (``If-Match``)."""

    actor: Actor
    now_us: int
    if_revision: int | None = None
