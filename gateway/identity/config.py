"""What counts as a credential, and what became of a request's: the values around the authenticator."""

from dataclasses import dataclass, field
from typing import Literal

from gateway.core.principal import Principal
from gateway.identity.api_keys import ApiKey
from gateway.identity.carriers import AUTHORIZATION
from gateway.identity.credential import Credential
from gateway.identity.issuers import Issuer
from gateway.identity.peers import PeerIdentity
from gateway.identity.telling import Telling
from gateway.identity.workspace import WorkspaceSource

Anonymous = Literal["forward", "public_only", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtCarriers:
    """Where JSON Web Tokens travel. In ``Authorization``: ``Bearer <token>``; elsewhere also the bare token."""

    headers: tuple[bytes, ...] = (AUTHORIZATION,)
    cookies: tuple[bytes, ...] = ()
    queries: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCarriers:
    """Where the gateway's own API keys travel: a header of their own, and ``Authorization: Bearer wb_…``."""

    header: bytes | None = b"x-api-key"
    bearer: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityConfig:
    """What counts as a credential. A way that is not configured has no carrier: its headers go through untouched.

    ``anonymous``: ``forward`` lets it pass; ``public_only``: on rules marked public alone; ``reject``: nowhere, so that
    public rules need a credential too. ``api_keys`` ``None``: there are no such keys; an empty tuple: none yet, and
    their carriers are ours all the same.
    """

    issuers: tuple[Issuer, ...] = ()
    jwt: JwtCarriers = field(default_factory=JwtCarriers)
    api_keys: tuple[ApiKey, ...] | None = None
    key: KeyCarriers = field(default_factory=KeyCarriers)
    peers: PeerIdentity | None = None
    telling: Telling = field(default_factory=Telling)
    workspace: WorkspaceSource = field(default_factory=WorkspaceSource)
    anonymous: Anonymous = "forward"
    trusted_proxies: int = 0
    cached_tokens: int = 65_536


@dataclass(frozen=True, slots=True)
class Identified:
    """The outcome. ``principal.workspace`` is not set: ``asked`` is what the request names, ``within`` sets it.

    ``strip``: canonical names (lower case, ``_`` as ``-``) of headers that must not go upstream. ``strip_query``:
    decoded names. ``said``: what the upstream is told, as lines of a head. An outcome is remembered and shared between
    requests that say the same, so it holds no credential in clear.
    """

    principal: Principal
    strip: frozenset[bytes] = frozenset()
    strip_query: frozenset[bytes] = frozenset()
    asked: str | None = None
    credential: Credential | None = None
    inside: Principal | None = None
    said: bytes = b""

    def within(self) -> Principal:
        """The principal inside the workspace that it names: for when its membership is established."""
        return self.principal if self.inside is None else self.inside
