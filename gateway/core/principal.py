"""Who a request acts for."""

from dataclasses import dataclass
from typing import Literal

from gateway.core.scope import Scope

Proof = Literal["jwt", "api_key", "peer", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The user, perhaps inside a workspace, that a request acts for, and how we know.

    ``user`` is ``None`` only for an anonymous request. ``workspace`` is set once membership is established, or, for an
    anonymous request, where the route names it: then it is a claim until the upstream accepts the request.
    ``address`` is the client network: an IPv4 address or an IPv6 /64.
    ``role`` is what the credential or the upstream says, verbatim.
    """

    proof: Proof
    user: str | None = None
    workspace: str | None = None
    address: str | None = None
    role: str | None = None
    expires_us: int | None = None

    @property
    def verified(self) -> bool:
        """Whether a credential was checked."""
        return self.proof != "anonymous"

    def proves(self, kind: str) -> bool:
        """Whether the scope of that kind is known before the upstream has said anything.

        A connection proves its address; user and workspace need a credential.
        """
        return kind == "address" or self.verified

    def scope(self, kind: str) -> Scope | None:
        """The scope of that kind that this principal can spend from, or ``None``."""
        match kind:
            case "user":
                found = self.user
            case "workspace":
                found = self.workspace
            case "address":
                found = self.address
            case _:
                found = None
        return None if found is None else Scope(kind, found)
