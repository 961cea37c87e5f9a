"""``identity``: how a request proves who it acts for."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.settings.base import Fault, Section, fail_on, wrong
from gateway.settings.names import HeaderName, Listed, Network, ScopeId
from gateway.settings.tokens import Issuers, unnamed
from gateway.settings.units import Instant, Whole

_KEY_ID = re.compile(r"[a-z0-9]{1,64}")
_API_KEY_HEADER = "X-API-Key"
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def _hash(value: str) -> str:
    if not _HASH.fullmatch(value):
        raise wrong("must be sha256: and 64 lower-case hex digits: the hash of what follows wb_<id>_ in the key")
    return value


def _key_id(value: str) -> str:
    if not _KEY_ID.fullmatch(value):
        raise wrong("must be 1 to 64 lower-case letters and digits, as they stand in the key: wb_<id>_<secret>")
    return value


class ApiKeySettings(Section):
    """A key the gateway itself gave out. Only its hash is here; the key is removed before forwarding."""

    id: Annotated[str, AfterValidator(_key_id)] = Field(
        description="The key is `wb_<id>_<secret>`; this is its id, which logs may show."
    )
    hash: Annotated[str, AfterValidator(_hash)] = Field(
        repr=False,
        description="`sha256:` and the hex SHA-256 of the key's secret part; the key itself is kept nowhere.",
    )
    user: ScopeId | None = Field(default=None, description="The user the key acts for. `null`: a workspace's own key.")
    workspace: ScopeId | None = Field(
        default=None,
        description="The only workspace the key may act in. `null`: as for any other credential of its user.",
    )
    expires: Instant | None = Field(default=None, description="From when on the key is refused. `null`: never.")

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        nobody = self.user is None and self.workspace is None
        fail_on([Fault(("user",), "is required, unless the key is for a workspace")] if nobody else [])
        return self


class PeerSettings(Section):
    """Neighbours that have identified the caller already and say so in headers."""

    networks: Annotated[tuple[Network, ...], *Listed] = Field(
        description="TCP peers that are believed. X-Forwarded-For does not count: anybody can write it."
    )
    user_header: HeaderName = Field(default="X-User-ID", description="The header in which they name the user.")
    workspace_header: HeaderName | None = Field(
        default=None,
        description="The header in which they vouch for the user's workspace. `null`: membership as for anybody.",
    )
    role_header: HeaderName | None = Field(
        default=None, description="The header in which they name the user's role. `null`: none."
    )

    @model_validator(mode="after")
    def _listed(self) -> Self:
        fail_on([] if self.networks else [Fault(("networks",), "must name at least one network")])
        return self


class TellSettings(Section):
    """What the upstream is told about who asks, in headers of its own: for APIs that do not read the credential."""

    user_header: HeaderName | None = Field(
        default=None, description="The header in which it is told the user. `null`: it is not."
    )
    workspace_header: HeaderName | None = Field(
        default=None,
        description="The header in which it is told the workspace that the credential speaks for. `null`: it is not.",
    )
    role_header: HeaderName | None = Field(
        default=None, description="The header in which it is told the role. `null`: it is not."
    )


class IdentitySettings(Section):
    """How a request proves who it acts for."""

    jwt: Issuers = Field(
        default=(),
        description="Signed tokens: the keys below for one issuer, a list of such mappings for several. `null`: none "
        "are read, they pass as they are.",
    )
    api_keys: Annotated[tuple[ApiKeySettings, ...], *Listed] = Field(
        default=(), description="Keys of the gateway's own."
    )
    api_key_header: HeaderName = Field(
        default=_API_KEY_HEADER, description="The header that carries a gateway API key."
    )
    anonymous: Literal["forward", "public_only", "reject"] = Field(
        default="forward",
        description="Requests without any credential: forwarded with every carrier removed, let through "
        "only where a rule is public, or refused with 401.",
    )
    peers: PeerSettings | None = Field(
        default=None, description="Networks whose identity headers are believed. `null`: none."
    )
    tell: TellSettings = Field(
        default=TellSettings(),
        description="What the upstream is told about who asks. What clients send under these names is removed.",
    )
    trusted_proxies: Annotated[Whole, Field(ge=0, le=32)] = Field(
        default=0,
        description="How many proxies of your own stand in front: the client is the n-th from the right of "
        "X-Forwarded-For. 0: the TCP peer is the client.",
    )

    @model_validator(mode="after")
    def _unique(self) -> Self:
        faults = [Fault(("jwt", *fault.at), fault.message) for fault in unnamed(self.jwt)]
        for name in ("id", "hash"):
            seen: dict[str, int] = {}
            for index, key in enumerate(self.api_keys):
                first = seen.setdefault(getattr(key, name), index)
                if first != index:
                    faults.append(Fault(("api_keys", index, name), f"another key has the same {name}"))
        if self.api_key_header != _API_KEY_HEADER and not self.api_keys:
            faults.append(Fault(("api_key_header",), "does nothing without api_keys"))
        fail_on(faults)
        return self
