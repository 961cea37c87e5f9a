"""What the upstream is told about who asks, once it is known: for upstreams that do not read the credential."""

from dataclasses import dataclass

from gateway.identity.carriers import canonical_name
from gateway.identity.credential import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Header names, each ``None`` if that is not told. What clients send under these names never goes on.

    The workspace is the one that the credential itself speaks for, not one that a client has only named.
    """

    user_header: bytes | None = None
    workspace_header: bytes | None = None
    role_header: bytes | None = None

    @property
    def names(self) -> frozenset[bytes]:
        """The canonical names of these headers."""
        headers = (self.user_header, self.workspace_header, self.role_header)
        return frozenset(canonical_name(header) for header in headers if header is not None)

    def lines(self, credential: Credential) -> bytes:
        """What ``credential`` says, as lines of a head. Values are UTF-8; ids print, so that none holds a line end."""
        told = (
            (self.user_header, credential.user),
            (self.workspace_header, credential.workspace),
            (self.role_header, credential.role),
        )
        return b"".join(
            [b"%b: %b\r\n" % (header, value.encode()) for header, value in told if header is not None and value]
        )
