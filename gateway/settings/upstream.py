"""``upstream``: the API that requests are forwarded to."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from gateway.core.hop_by_hop import HOP_BY_HOP, key_of
from gateway.settings.base import Fault, Section, fail_on, wrong
from gateway.settings.names import HeaderName, Listed
from gateway.settings.transport import HealthSettings, UpstreamTlsSettings
from gateway.settings.units import UNIX, AnySize, Duration, Flag, PositiveDuration, Whole, unix_path

_NOT_OURS_TO_SET = frozenset(
    {b"content-length", b"cookie", b"expect", b"forwarded", b"host", b"trailer", b"via", b"x-request-id"}
)

_PORTS = {"http": 80, "https": 443}

Override = Literal["X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"]


def _origin(value: str) -> str:
    if value.startswith(UNIX):
        return f"{UNIX}{unix_path(value)}"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong("must be a URL such as http://127.0.0.1:9000") from None
    if parts.scheme not in _PORTS or not host or not value.isascii() or not value.isprintable():
        raise wrong("must be a URL such as http://127.0.0.1:9000")
    if parts.username is not None or parts.password is not None:
        raise wrong("must not contain a user or a password")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise wrong("must not have a path or a query: what was matched is what is forwarded")
    return value


def _value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise wrong("must be printable ASCII without white space at its ends")
    return value


def _own(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Refuse what speaks of the message or of the client, which is not the configuration's to say."""
    faults, seen = [], set[bytes]()
    for name in value:
        key = key_of(name.encode())
        if key in HOP_BY_HOP or key in _NOT_OURS_TO_SET or key.startswith(b"x-forwarded"):
            faults.append(Fault((name,), "speaks of the message or of the client and cannot be set"))
        if key in seen:
            faults.append(Fault((name,), "is there already, in another spelling"))
        seen.add(key)
    fail_on(faults)
    return value


Origin = Annotated[str, AfterValidator(_origin)]


def _is_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


def _asked(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class ProfileSettings(Section):
    """What the upstream's router does with a path. A wrong answer here turns a spelling into a discount."""

    name: Literal["strict", "fiber", "decoded"] = Field(
        default="strict",
        description="The behaviour to start from. `strict` refuses what routers read in different ways; `fiber` is "
        "wacraft's router; `decoded` decodes the whole path before it looks for slashes, as most Python servers do. "
        "`weighbridge probe` finds out which.",
    )
    decode: Literal["segments", "path", "none"] | None = Field(
        default=None,
        description="Percent-decoding: inside segments (%2F stays in its segment), of the whole path (%2F separates), "
        "or none. `null`: as the named profile says.",
    )
    odd_segments: Literal["refuse", "data"] | None = Field(
        default=None,
        description="`.`, `..`, `//` and backslashes: refused with 400, because the router makes something of them, or "
        "data like anything else. `null`: as the named profile says.",
    )
    case: Literal["sensitive", "insensitive"] | None = Field(
        default=None, description="Whether the router tells /A from /a. `null`: as the named profile says."
    )
    trailing_slash: Literal["significant", "dropped"] | None = Field(
        default=None, description="Whether the router tells /a/ from /a. `null`: as the named profile says."
    )
    matrix_params: Literal["data", "dropped"] | None = Field(
        default=None, description="Whether the router drops `;x=y` from a segment. `null`: as the named profile says."
    )


class UpstreamSettings(Section):
    """The API behind the gateway, and how it is spoken to."""

    url: Origin | None = Field(
        default=None,
        description="Where requests go: http or https, host and port only, because paths pass unchanged; or "
        "`unix:/path`. A name with several addresses is several upstreams. Required, unless there are `urls`.",
    )
    urls: Annotated[tuple[Origin, ...], *Listed] = Field(
        default=(), description="Several of them instead; each request goes to the one with the fewest."
    )
    tls: UpstreamTlsSettings = Field(default=UpstreamTlsSettings(), description="For https.")
    health: Annotated[HealthSettings, BeforeValidator(_asked)] = Field(
        default=HealthSettings(), description="Active health checks: a path, or a mapping of the keys below."
    )
    max_failures: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        default=3,
        description="So many failures in a row (no connection, no answer, no HTTP) leave an address out for a while, "
        "if there are others.",
    )
    eject_time: PositiveDuration = Field(
        default=Duration.parse("10s"),
        description="How long it is left out: twice as long each time, up to 30 times this; then one request tries it.",
    )
    retries: Annotated[Whole, Field(ge=0, le=100)] = Field(
        default=2,
        description="How many other addresses are tried for a request of which not one byte was written. Beside this, "
        "an idempotent request that met a dying kept connection is sent once more.",
    )
    resolve: PositiveDuration = Field(
        default=Duration.parse("30s"), description="How often the addresses behind a name are looked up."
    )
    profile: Annotated[ProfileSettings, BeforeValidator(_named)] = Field(
        default=ProfileSettings(),
        description="How the upstream's router reads paths: a name, or a mapping of the keys below.",
    )
    connect_timeout: PositiveDuration = Field(
        default=Duration.parse("5s"),
        description="How long a connection may take to open, TLS included; then another address, or 504 and no charge.",
    )
    read_timeout: PositiveDuration = Field(
        default=Duration.parse("60s"),
        description="How long the upstream may send nothing while a response is due; then 504. A WebSocket may idle.",
    )
    total_timeout: PositiveDuration | None = Field(
        default=None,
        description="How long the upstream may take for a whole answer; then 504, or it is cut. `null`: as long as it "
        "sends. Not for WebSockets.",
    )
    idle_timeout: PositiveDuration = Field(
        default=Duration.parse("30s"),
        description="How long an unused connection is kept. Shorter than the upstream's own keep-alive, or requests "
        "meet a closing door.",
    )
    max_connections: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=1024,
        description="Connections to one address at once; more requests wait for one, up to `connect_timeout`. An open "
        "WebSocket holds one.",
    )
    connection_requests: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="So many requests go over one connection. `null`: any number."
    )
    connection_age: PositiveDuration | None = Field(
        default=None, description="So old a connection may get before it is used no more. `null`: any age."
    )
    head_bytes: AnySize | None = Field(
        default=None,
        description="How long a head (request line and headers) the upstream reads. For a longer one X-Request-ID and "
        "Via are left out, and what is too long without them is 431 and costs nothing. `null`: not known.",
    )
    preserve_host: Flag = Field(
        default=True,
        description="Send the client's Host. `false` sends the host of `url`, or of the first of `urls`, for upstreams "
        "that route by name.",
    )
    forwarded: Literal["x-forwarded", "forwarded", "none"] = Field(
        default="x-forwarded",
        description="Which family tells the upstream who called: `X-Forwarded-*`, `Forwarded` (RFC 7239), or neither.",
    )
    headers: Annotated[dict[HeaderName, Annotated[SecretStr, AfterValidator(_value)]], AfterValidator(_own)] = Field(
        default={},
        description="Fields that the gateway itself sends with every request, such as its own credential: "
        '`Authorization: "Bearer ${UPSTREAM_KEY}"`. What a client sends under these names is removed.',
    )
    honours: Annotated[tuple[Override, ...], *Listed] = Field(
        default=(),
        description="Override headers that the upstream obeys. They are matched and forwarded; all others are "
        "removed, because they turn one request into another after it was weighed. What some upstreams would not obey "
        "is refused: a method that overrides anything but POST, or two fields for one thing.",
    )

    @property
    def addresses(self) -> tuple[str, ...]:
        """All URLs."""
        return self.urls if self.url is None else (self.url,)

    @property
    def authority(self) -> str:
        """Host and port of the first URL, as ``Host`` says them."""
        parts = urlsplit(self.addresses[0])
        if parts.hostname is None:
            return "localhost"  # a Unix socket has no name
        shown = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return shown if parts.port in (None, _PORTS[parts.scheme]) else f"{shown}:{parts.port}"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self.addresses:
            fail_on([Fault(("url",), "is required")])
        faults = [Fault(("urls",), "is there beside url: put all of them into urls")] if self.url and self.urls else []
        faults += [Fault(("urls", at), "is there twice") for at, url in enumerate(self.urls) if url in self.urls[:at]]
        fail_on([*faults, *self._useless()])
        return self

    def _useless(self) -> Iterator[Fault]:
        parts = [urlsplit(url) for url in self.addresses]
        names = [part.hostname for part in parts if part.hostname is not None and _is_name(part.hostname)]
        single = len(parts) == 1 and not names
        keys = [("resolve", "does nothing: no url has a name")] if not names else []
        if single:
            keys += [(key, "does nothing with a single address") for key in ("max_failures", "eject_time", "retries")]
        if not any(part.scheme == "https" for part in parts):
            keys += [("tls", "does nothing: no url is https")]
        fields = type(self).model_fields
        return (Fault((key,), why) for key, why in keys if getattr(self, key) != fields[key].default)
