"""Small choices of the whole gateway: store, answers, log, limits."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator

from gateway.core.url_host import is_at_behind_host
from gateway.settings.base import RESTART, Section, wrong
from gateway.settings.ledger import FILE_URL, file_url
from gateway.settings.names import Prefix, Text
from gateway.settings.units import (
    AnyAddress,
    AnySize,
    Duration,
    Flag,
    Interpolated,
    PositiveDuration,
    Size,
    Whole,
)

StorePolicy = Literal["open", "closed", "lease"]


def _store_url(value: str) -> str:
    if value.startswith(("postgresql://", "postgres://")):
        return _server_url(value)
    if not value.startswith(FILE_URL):
        raise wrong("must be sqlite:///path/to/file.db or postgresql://user@host/name")
    return file_url(value)


def _server_url(value: str) -> str:
    """A bare / or ? in a password ends the host, and the rest of the password would be taken for something to show."""
    if is_at_behind_host(value):
        raise wrong("has an @ behind its host: in a password write / ? # @ as %2F %3F %23 %40, as in every URL")
    return value


def _access(value: object) -> bool | str:
    if isinstance(value, Interpolated) and value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value and "\x00" not in value:
        return str(value)
    raise wrong("must be true, false or the path of a file")


def _web_url(value: str) -> str:
    if not value.startswith(("https://", "http://", "/")) or not value.isprintable() or " " in value:
        raise wrong("must be a URL, or a path that starts with /")
    return value


def _allow_origin(value: str) -> str:
    if value == "*":
        return value
    scheme, _, rest = value.partition("://")
    if scheme not in ("http", "https") or not rest or "/" in rest or not value.isprintable() or " " in value:
        raise wrong('must be "*" or one origin such as https://app.example.com')
    return value


StoreUrl = Annotated[str, AfterValidator(_store_url)]


class HeaderSettings(Section):
    """Which families of headers tell callers how their budget stands."""

    wacraft: Flag = Field(
        default=True, description="`X-RateLimit-Limit`, `-Remaining`, `-Reset`, `-Scope`, …, as wacraft sends them."
    )
    ietf: Flag = Field(
        default=True, description="`RateLimit-Policy` and `RateLimit`, which list all limits of the scope."
    )
    cost: Flag = Field(default=True, description="`X-Weighbridge-Cost`: what this request cost.")


class CorsSettings(Section):
    """What browsers may read of the gateway's own answers and headers."""

    allow_origin: Annotated[str, AfterValidator(_allow_origin)] | None = Field(
        default="*",
        description="`Access-Control-Allow-Origin` of answers that the gateway makes itself. `null`: none, and no "
        "headers are exposed.",
    )


class PrefixSettings(Section):
    """Paths that are the gateway's own: never forwarded, whatever their spelling."""

    api: Prefix = Field(
        default="/billing", description="The billing API, as the upstream's clients know it from wacraft."
    )
    admin: Prefix = Field(default="/billing-admin", description="The admin panel.")
    internal: Prefix = Field(default="/-/", description="Health and metrics.")


class MetricsSettings(Section):
    """Prometheus metrics."""

    listen: AnyAddress | None = Field(
        default=None,
        description="An address of their own, so that the public port does not show them. `null`: at "
        "`prefixes.internal` + metrics on the main one.",
        json_schema_extra=RESTART,
    )


class LogSettings(Section):
    """What is written down. Never a token, a secret or a query."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important thing that is logged.", json_schema_extra=RESTART
    )
    format: Literal["json", "console"] = Field(
        default="json",
        description="`json`: one object a line, for programs. `console`: for eyes.",
        json_schema_extra=RESTART,
    )
    access: Annotated[bool | str, PlainValidator(_access)] = Field(
        default=True,
        description="One line per request: `true` into the log, a path into a file of its own, `false` nowhere.",
        json_schema_extra=RESTART,
    )


class LimitsSettings(Section):
    """What a client may ask of the gateway itself."""

    header_bytes: AnySize = Field(
        default=Size.parse("64KiB"),
        description="The request line and all headers together; more is 431.",
        json_schema_extra=RESTART,
    )
    header_count: Annotated[Whole, Field(ge=8, le=10_000)] = Field(
        default=200, description="How many header lines a request may have; more is 431.", json_schema_extra=RESTART
    )
    body_bytes: AnySize | None = Field(
        default=None,
        description="How long a request's body may be; more is 413. `null`: any.",
        json_schema_extra=RESTART,
    )
    head_timeout: PositiveDuration = Field(
        default=Duration.parse("30s"),
        description="How long a request's head may take to arrive. Short, against slow-loris clients.",
        json_schema_extra=RESTART,
    )
    body_idle_timeout: PositiveDuration = Field(
        default=Duration.parse("60s"),
        description="How long a client may send nothing while its body is due, or not take what it is sent.",
        json_schema_extra=RESTART,
    )
    body_rate: AnySize | None = Field(
        default=Size.parse("64B"),
        description="How much of its body a client must send each second, on average after the first "
        "`body_idle_timeout`. Low: it is for those who trickle on purpose. `null`: any.",
        json_schema_extra=RESTART,
    )
    keepalive_timeout: PositiveDuration = Field(
        default=Duration.parse("75s"),
        description="How long an idle client connection is kept. Longer than a load balancer in front keeps it.",
        json_schema_extra=RESTART,
    )
    half_close: PositiveDuration | None = Field(
        default=None,
        description="How long a client that says no more is waited on while nothing of its answer comes; then it "
        "counts as gone and its upstream request is dropped. One that has left looks the same until it is written to, "
        "so shorter saves the upstream work that nobody awaits, and cuts off who half-closes and waits. `null`: as "
        "long as `upstream.read_timeout`. Not over TLS, which knows no half-closed connection.",
        json_schema_extra=RESTART,
    )
    connection_requests: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None,
        description="So many requests a client's connection may bring; the last answer says `Connection: close`. "
        "`null`: any number.",
        json_schema_extra=RESTART,
    )
    connection_age: PositiveDuration | None = Field(
        default=None,
        description="So old a client's connection may get before an answer says `Connection: close`, so that clients "
        "spread over new gateways. `null`: any age.",
        json_schema_extra=RESTART,
    )
    api_calls_per_minute: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=120,
        description="How many calls of the gateway's own API a user, or an address without a credential, may make in a "
        "minute; more are 429. They cost no units.",
    )
    strip_bytes: AnySize = Field(
        default=Size.parse("4MiB"),
        description="How long an answer may be that is held because a rule has `strip_json`; a longer one is 502.",
    )
    stop_timeout: PositiveDuration = Field(
        default=Duration.parse("30s"),
        description="How long requests in flight may take to finish when the gateway stops.",
    )


BuyUrl = Annotated[Text, AfterValidator(_web_url)]
