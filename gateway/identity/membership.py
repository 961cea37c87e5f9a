"""Whether a user belongs to the workspace that a request names, told by trust or by the credential itself.

``probe.py`` asks the upstream. However it is told: a credential that is bound to the workspace needs no second opinion.
"""

from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.problems import Forbidden
from gateway.identity.config import Identified

Carried = tuple[tuple[bytes, bytes], ...]
"""A credential as header fields."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """The upstream's own refusal (4xx): the caller gets it as it came. ``headers`` are those that go with the body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = field(default=b"", repr=False)


class Membership(Protocol):
    """One way to know. ``lasting``: what ``known`` says of an outcome and a workspace is always the same."""

    lasting: bool

    def known(self, who: Identified, workspace: str, now_us: int) -> bool | None:
        """The answer without waiting; ``None`` if it has to be asked for. On ``False``, ``ask`` says what to answer."""
        ...

    async def ask(self, who: Identified, carried: Carried, workspace: str, now_us: int) -> Relayed | None:
        """``None``: a member; else what to answer. Raises ``Forbidden``; or as ``asking.NOBODY_KNOWS``, if nobody does.

        ``carried``: the caller's own credential, see ``Authenticator.carried``.
        """
        ...

    def forget(self) -> None:
        """Drop what is remembered: identities have changed."""
        ...


def vouched(who: Identified, workspace: str) -> bool:
    """Whether the credential itself is bound to ``workspace`` by whoever made it."""
    credential = who.credential
    return credential is not None and credential.bound and credential.workspace == workspace


def not_a_member() -> Forbidden:
    """The 403 for somebody else's workspace."""
    return Forbidden("You are not a member of this workspace, as far as your credential says.")


class TrustClients:
    """Everybody belongs to every workspace. Any user can drain any workspace's budget: for closed networks only."""

    lasting = True

    def known(self, who: Identified, workspace: str, now_us: int) -> bool:  # noqa: ARG002  (the port's arguments)
        """Yes, for any user."""
        return who.principal.verified

    async def ask(self, who: Identified, carried: Carried, workspace: str, now_us: int) -> Relayed | None:  # noqa: ARG002
        """Nothing to answer. Raises ``Forbidden`` for an anonymous request, which belongs nowhere."""
        if not self.known(who, workspace, now_us):
            raise not_a_member()
        return None

    def forget(self) -> None:
        """Nothing is remembered."""


class ByClaim:
    """The credential lists its user's workspaces."""

    lasting = True

    def known(self, who: Identified, workspace: str, now_us: int) -> bool:  # noqa: ARG002  (the port's arguments)
        """Whether the credential lists ``workspace``."""
        return who.credential is not None and workspace in who.credential.workspaces

    async def ask(self, who: Identified, carried: Carried, workspace: str, now_us: int) -> Relayed | None:  # noqa: ARG002
        """Nothing to answer. Raises ``Forbidden`` if the credential does not list ``workspace``."""
        if not self.known(who, workspace, now_us):
            raise not_a_member()
        return None

    def forget(self) -> None:
        """Nothing is remembered."""
