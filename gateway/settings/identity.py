"""``identity``: how a request proves who it acts for."""

import re
from typing import Annotated, Literal, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import AfterValidator, Field, SecretStr, model_validator

from gateway.settings.base import Fault, Section, fail_on, wrong
from gateway.settings.names import HeaderName, Listed, Network, ScopeId, Text
from gateway.settings.units import AnyDuration, Duration, Instant, Whole

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"
]
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_KEY_ID = re.compile(r"[a-z0-9]{1,64}")
_API_KEY_HEADER = "X-API-Key"
_RSA_BITS = 2048
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip():
        raise wrong("must not be empty: anybody could forge a token")
    if "-----BEGIN" in text:
        raise wrong("is a PEM key, which is no HMAC secret: use public_key and an RS, PS or ES algorithm")
    return value


def _public_key(value: str) -> str:
    if "PRIVATE KEY-----" in value:
        raise wrong("is a private key; the gateway needs the public one only")
    try:
        key = load_pem_public_key(value.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise wrong("is not a PEM public key; ${file:/path/key.pem} reads one from a file") from None
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise wrong("must be an RSA or an EC key")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS:
        raise wrong(f"must have at least {_RSA_BITS} bits")  # RFC 7518, 3.3
    return value


def _hash(value: str) -> str:
    if not _HASH.fullmatch(value):
        raise wrong("must be sha256: and 64 lower-case hex digits: the hash of what follows wb_<id>_ in the key")
    return value


def _key_id(value: str) -> str:
    if not _KEY_ID.fullmatch(value):
        raise wrong("must be 1 to 64 lower-case letters and digits, as they stand in the key: wb_<id>_<secret>")
    return value


def _key_mismatch(algorithm: str, public_key: str) -> str | None:
    key = load_pem_public_key(public_key.encode())
    if algorithm in _CURVES:
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == _CURVES[algorithm]:
            return None
        return f"{algorithm} needs an EC key on {_CURVES[algorithm]}"
    return None if isinstance(key, rsa.RSAPublicKey) else f"{algorithm} needs an RSA key"


class JwtSettings(Section):
    """Signed tokens. One key; its kind decides which algorithms are possible, so that none can be confused."""

    secret: Annotated[SecretStr, AfterValidator(_secret)] | None = Field(
        default=None,
        description="The HMAC secret of the HS algorithms, at least 32 bytes. Take it from `${JWT_SECRET}`.",
    )
    public_key: Annotated[str, AfterValidator(_public_key)] | None = Field(
        default=None, description="The PEM public key of the RS, PS and ES algorithms, usually `${file:/path/key.pem}`."
    )
    algorithms: Annotated[tuple[Algorithm, ...], *Listed] = Field(
        default=("HS256",), description="What a token may be signed with. A token that names another one is refused."
    )
    user_claim: Text = Field(default="sub", description="The claim that names the user; a token without it is refused.")
    issuer: Text | None = Field(default=None, description="The `iss` a token must have. `null`: not looked at.")
    audience: Text | None = Field(
        default=None, description="The `aud` a token must have. `null`: not looked at, as wacraft's tokens have none."
    )
    leeway: AnyDuration = Field(
        default=Duration(0), description="How far clocks may differ when `exp` and `nbf` are judged. 0: not at all."
    )
    header: HeaderName | None = Field(
        default="Authorization", description="The header that carries `Bearer <token>`. `null`: none does."
    )
    cookie: Text | None = Field(
        default=None, description="A cookie that carries the token, for browsers. `null`: none."
    )
    query: Text | None = Field(
        default=None, description="A query parameter that carries the token, for WebSockets of browsers. `null`: none."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        faults = []
        if not self.algorithms:
            faults.append(Fault(("algorithms",), "must name at least one algorithm"))
        if self.secret is not None and self.public_key is not None:
            faults.append(Fault(("public_key",), "give either secret or public_key: one of them would do nothing"))
        else:
            faults += self._unusable()
        if self.header is None and self.cookie is None and self.query is None:
            faults.append(Fault(("header",), "with no header, cookie or query no token can ever arrive"))
        fail_on(faults)
        return self

    def _unusable(self) -> list[Fault]:
        faults = []
        for index, algorithm in enumerate(self.algorithms):
            at = ("algorithms", index)
            if algorithm.startswith("HS"):
                if self.secret is None:
                    faults.append(Fault(at, f"{algorithm} needs identity.jwt.secret"))
            elif self.public_key is None:
                faults.append(Fault(at, f"{algorithm} needs identity.jwt.public_key"))
            elif (mismatch := _key_mismatch(algorithm, self.public_key)) is not None:
                faults.append(Fault(at, mismatch))
        return faults


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

    @model_validator(mode="after")
    def _listed(self) -> Self:
        fail_on([] if self.networks else [Fault(("networks",), "must name at least one network")])
        return self


class IdentitySettings(Section):
    """How a request proves who it acts for."""

    jwt: JwtSettings | None = Field(
        default=None, description="Signed tokens. `null`: none are read, they pass as they are."
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
    trusted_proxies: Annotated[Whole, Field(ge=0, le=32)] = Field(
        default=0,
        description="How many proxies of your own stand in front: the client is the n-th from the right of "
        "X-Forwarded-For. 0: the TCP peer is the client.",
    )

    @model_validator(mode="after")
    def _unique(self) -> Self:
        faults = []
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
