"""Identity headers of peers that did the authentication for us: believed by TCP peer, never by a header."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.core.scope import normalise_id
from gateway.identity.carriers import canonical_name
from gateway.identity.credential import Credential, unauthorized


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIdentity:
    """Which peers are believed, and which headers of theirs say who the request is for.

    Everybody else's are removed. A peer that is believed must itself remove what its clients send.
    With ``workspace_header`` the peer also vouches for the membership; the workspace header of clients is another one.
    """

    networks: tuple[str, ...]
    user_header: bytes = b"x-user-id"
    workspace_header: bytes | None = None
    role_header: bytes | None = None

    @property
    def names(self) -> frozenset[bytes]:
        """The canonical names of these headers."""
        headers = (self.user_header, self.workspace_header, self.role_header)
        return frozenset(canonical_name(header) for header in headers if header is not None)


def peer_credential(peers: PeerIdentity, sent: Mapping[bytes, bytes]) -> Credential | None:
    """What a believed peer's headers say; ``None`` if there are none. Raises ``Unauthorized`` if they make no sense."""
    if not any(name in sent for name in peers.names):
        return None
    user = _read(sent, peers.user_header)
    if user is None:
        raise unauthorized(f"The identity headers name no user in {peers.user_header.decode('latin-1')!r}.")
    workspace = None if peers.workspace_header is None else _read(sent, peers.workspace_header)
    return Credential(
        proof="peer",
        user=user,
        workspace=workspace,
        workspaces=frozenset() if workspace is None else frozenset({workspace}),
        bound=workspace is not None,
        role=None if peers.role_header is None else _read(sent, peers.role_header),
    )


def _read(sent: Mapping[bytes, bytes], header: bytes) -> str | None:
    value = sent.get(canonical_name(header))
    if value is None:
        return None
    try:
        text = normalise_id(value.decode())
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise unauthorized(f"The identity header {header.decode('latin-1')!r} holds nothing that can be an id.")
    return text
