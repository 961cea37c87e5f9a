"""``upstream``: the API that requests are forwarded to."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.settings.base import Section, wrong
from gateway.settings.names import Listed
from gateway.settings.units import AnySize, Duration, Flag, PositiveDuration, Whole

Override = Literal["X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"]


def _origin(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong("must be a URL such as http://127.0.0.1:9000") from None
    if parts.scheme == "https":
        raise wrong("this build speaks plain http to the upstream; put the gateway on its network")
    if parts.scheme != "http" or not host or not value.isascii() or not value.isprintable():
        raise wrong("must be a URL such as http://127.0.0.1:9000")
    if parts.username is not None or parts.password is not None:
        raise wrong("must not contain a user or a password")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise wrong("must not have a path or a query: what was matched is what is forwarded")
    return value


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class ProfileSettings(Section):
    """What the upstream's router does with a path. A wrong answer here turns a spelling into a discount."""

    name: Literal["strict", "fiber", "decoded"] = Field(
        default="strict",
        description="The behaviour to start from. `strict` refuses what routers read in different ways; `fiber` is "
        "wacraft's router; `decoded` treats odd segments as data after percent-decoding.",
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

    url: Annotated[str, AfterValidator(_origin)] = Field(
        description="Where requests go: scheme, host and port only, because paths pass unchanged."
    )
    profile: Annotated[ProfileSettings, BeforeValidator(_named)] = Field(
        default=ProfileSettings(),
        description="How the upstream's router reads paths: a name, or a mapping of the keys below.",
    )
    connect_timeout: PositiveDuration = Field(
        default=Duration.parse("5s"), description="How long a connection may take to open; then 504 and no charge."
    )
    read_timeout: PositiveDuration = Field(
        default=Duration.parse("60s"),
        description="How long the upstream may send nothing while a response is due; then 504. A WebSocket may idle.",
    )
    idle_timeout: PositiveDuration = Field(
        default=Duration.parse("30s"),
        description="How long an unused connection is kept. Shorter than the upstream's own keep-alive, or requests "
        "meet a closing door.",
    )
    max_connections: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=1024,
        description="Connections to the upstream at once; more requests wait for one, up to `connect_timeout`.",
    )
    head_bytes: AnySize | None = Field(
        default=None,
        description="How long a head (request line and headers) the upstream reads. For a longer one X-Request-ID and "
        "Via are left out, and what is too long without them is 431 and costs nothing. `null`: not known.",
    )
    preserve_host: Flag = Field(
        default=True,
        description="Send the client's Host. `false` sends the host of `url`, for upstreams that route by name.",
    )
    forwarded: Literal["x-forwarded", "forwarded", "none"] = Field(
        default="x-forwarded",
        description="Which family tells the upstream who called: `X-Forwarded-*`, `Forwarded` (RFC 7239), or neither.",
    )
    honours: Annotated[tuple[Override, ...], *Listed] = Field(
        default=(),
        description="Override headers that the upstream obeys. They are matched and forwarded; all others are "
        "removed, because they turn one request into another after it was weighed.",
    )

    @property
    def host(self) -> str:
        """The host name or address of ``url``."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port of ``url``."""
        return urlsplit(self.url).port or 80
