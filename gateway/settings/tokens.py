"""``identity.jwt``: whose signed tokens count, and what their claims mean."""

import ssl
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, Strict, model_validator

from gateway.settings.base import Fault, Section, fail_on, wrong
from gateway.settings.names import HeaderName, Listed, Text
from gateway.settings.units import AnyDuration, Duration, PositiveDuration

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip():
        raise wrong("must not be empty: anybody could forge a token")
    if "-----BEGIN" in text:
        raise wrong("is a PEM key, which is no HMAC secret: use public_key and an RS, PS, ES or EdDSA algorithm")
    return value


def _public_key(value: str) -> str:
    if "PRIVATE KEY-----" in value:
        raise wrong("is a private key; the gateway needs the public one only")
    from gateway.settings.pem import fault_of  # noqa: PLC0415  (9 MB that a gateway without public keys does without)

    if (fault := fault_of(value)) is not None:
        raise wrong(fault)
    return value


def _key_mismatch(algorithm: str, public_key: str) -> str | None:
    from gateway.settings.pem import mismatch  # noqa: PLC0415  (see above)

    return mismatch(algorithm, public_key)


def _document_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or not value.isascii() or not value.isprintable() or " " in value or parts.fragment:
        raise wrong("must be a URL such as https://id.example.com/.well-known/jwks.json")
    if parts.username is not None or parts.password is not None:
        raise wrong("must not contain a user or a password")
    return value


def _authorities(value: str) -> str:
    try:
        ssl.create_default_context(cadata=value)
    except (ssl.SSLError, ValueError):
        raise wrong("is not a list of PEM certificates; ${file:/path/ca.pem} reads one from a file") from None
    return value


def _url_alone(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def _one_alone(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class JwksSettings(Section):
    """Where an issuer publishes its keys (RFC 7517): fetched, kept and rotated."""

    url: Annotated[str, AfterValidator(_document_url)] = Field(
        description="The document, called `jwks_uri` in an OpenID provider's `/.well-known/openid-configuration`."
    )
    cache: PositiveDuration = Field(
        default=Duration.parse("10m"),
        description="How long the keys count before they are fetched again, beside the requests: how long a key that "
        "the issuer has withdrawn is still good.",
    )
    stale: PositiveDuration = Field(
        default=Duration.parse("1d"),
        description="How long the last keys count while the issuer does not answer; then 503 and no charge.",
    )
    retry: PositiveDuration = Field(
        default=Duration.parse("10s"),
        description="The shortest time between two fetches, however many tokens name a key that is not known.",
    )
    timeout: PositiveDuration = Field(default=Duration.parse("5s"), description="How long a fetch may take.")
    ca: Annotated[str, AfterValidator(_authorities)] | None = Field(
        default=None,
        description="PEM certificates of who may vouch for the site, usually `${file:/path/ca.pem}`. "
        "`null`: those of the system.",
    )

    @model_validator(mode="after")
    def _patient(self) -> Self:
        fail_on([] if self.stale >= self.cache else [Fault(("stale",), "must not be shorter than cache")])
        return self


class JwtSettings(Section):
    """Signed tokens of one issuer. One source of keys decides which algorithms are possible: none can be confused."""

    secret: Annotated[SecretStr, AfterValidator(_secret)] | None = Field(
        default=None,
        description="The HMAC secret of the HS algorithms, at least 32 bytes. Take it from `${JWT_SECRET}`.",
    )
    public_key: Annotated[str, AfterValidator(_public_key)] | None = Field(
        default=None,
        description="The PEM public key of the RS, PS, ES and EdDSA algorithms, usually `${file:/path/key.pem}`.",
    )
    jwks: Annotated[JwksSettings, BeforeValidator(_url_alone)] | None = Field(
        default=None, description="The same keys from the issuer itself: a URL, or a mapping of the keys below."
    )
    algorithms: Annotated[tuple[Algorithm, ...], *Listed] = Field(
        default=("HS256",), description="What a token may be signed with. A token that names another one is refused."
    )
    issuer: Text | None = Field(
        default=None,
        description="The `iss` a token must have. `null`: not looked at, which only a single issuer can do.",
    )
    audience: Annotated[tuple[Text, ...], *Listed, BeforeValidator(_one_alone)] | None = Field(
        default=None,
        description="The `aud` a token must have, or a list of which it must have one. `null`: not looked at, as "
        "wacraft's tokens have none.",
    )
    user_claim: Text = Field(default="sub", description="The claim that names the user; a token without it is refused.")
    user_prefix: Text | None = Field(
        default=None,
        description="Put before the user's name, so that users of several issuers cannot be taken for one another.",
    )
    role_claim: Text | None = Field(default=None, description="The claim that names the user's role. `null`: none.")
    workspace_claim: Text | None = Field(
        default=None, description="The claim that names the workspace. `null`: as `workspace.claim` says."
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
        if self.audience == ():
            faults.append(Fault(("audience",), "names nobody, so every token is refused; null does not look at it"))
        sources = [name for name in ("secret", "public_key", "jwks") if getattr(self, name) is not None]
        if len(sources) > 1:
            faults.append(Fault((sources[1],), f"give either {sources[0]} or {sources[1]}: one would do nothing"))
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
            elif self.public_key is None and self.jwks is None:
                faults.append(Fault(at, f"{algorithm} needs identity.jwt.public_key or identity.jwt.jwks"))
            elif self.public_key is not None and (mismatch := _key_mismatch(algorithm, self.public_key)) is not None:
                faults.append(Fault(at, mismatch))
        return faults


def _each(value: object) -> object:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(value, dict | JwtSettings):
        return (value,)
    raise wrong("must be a mapping of keys, or a list of them")


Issuers = Annotated[tuple[JwtSettings, ...], Strict(strict=False), BeforeValidator(_each)]
"""One issuer as a mapping, several as a list of mappings, ``null`` for none."""


def unnamed(issuers: tuple[JwtSettings, ...]) -> list[Fault]:
    """A fault for each of several issuers that does not say which tokens are its own."""
    several = len(issuers) > 1
    why = "is required where there are several: it says whose keys a token is verified with"
    return [Fault((at, "issuer"), why) for at, jwt in enumerate(issuers) if several and jwt.issuer is None]
