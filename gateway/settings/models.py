"""The whole configuration. ``docs/settings.md`` is generated from here, and ``gateway.yaml`` shows every key."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, model_validator

from gateway.settings.admins import AdminsSettings
from gateway.settings.base import RESTART, SWITCH, Section, fail_on
from gateway.settings.cautions import cautions
from gateway.settings.crosscheck import Known, faults
from gateway.settings.identity import IdentitySettings
from gateway.settings.ledger import LedgerSettings
from gateway.settings.names import Kind, Listed, Text
from gateway.settings.payments import PaymentsSettings
from gateway.settings.places import Source
from gateway.settings.plans import DefaultsSettings, FallbackSettings, PlanSettings, SubscriptionSettings
from gateway.settings.policies import (
    BuyUrl,
    CorsSettings,
    HeaderSettings,
    LimitsSettings,
    LogSettings,
    MetricsSettings,
    PrefixSettings,
    StorePolicy,
    StoreUrl,
)
from gateway.settings.rules import RuleSettings
from gateway.settings.transport import FileMode, ProxyProtocolSettings, TlsSettings
from gateway.settings.units import Address, AnyAddress, Whole
from gateway.settings.upstream import UpstreamSettings
from gateway.settings.workspace import WorkspaceSettings


def _of_url(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


class Settings(Section):
    """The configuration of one gateway, checked."""

    listen: AnyAddress = Field(
        default=Address("127.0.0.1", 8080),
        description="Where the gateway listens. Only this machine by default; `0.0.0.0:8080` is every network; "
        "`unix:/path` is a socket in the file system.",
        json_schema_extra=RESTART,
    )
    listen_mode: FileMode = Field(
        default="0660", description="Who may connect to a Unix socket, as for chmod.", json_schema_extra=RESTART
    )
    workers: Annotated[Whole, Field(ge=1, le=256)] | Literal["auto"] = Field(
        default=1,
        description="How many processes serve on this machine; `auto`: one for each core. More than one needs a Redis "
        "in `ledger`, which keeps the budgets that they share; each writes a journal of its own beside "
        "`ledger.journal`.",
        json_schema_extra=RESTART,
    )
    tls: TlsSettings | None = Field(
        default=None,
        description="TLS on `listen`. `null`: plain HTTP. To turn it on or off needs a restart.",
        json_schema_extra=SWITCH,
    )
    proxy_protocol: ProxyProtocolSettings | None = Field(
        default=None,
        description="Load balancers in front of `listen` that say whose each connection is. `null`: none.",
        json_schema_extra=RESTART,
    )
    upstream: UpstreamSettings = Field(description="The API behind the gateway.")
    identity: IdentitySettings = Field(default=IdentitySettings(), description="How a request proves who it is.")
    workspace: WorkspaceSettings = Field(default=WorkspaceSettings(), description="Which workspace it acts in.")
    admins: AdminsSettings = Field(
        default=AdminsSettings(),
        description="Who may change plans, prices, weights, keys and subscriptions through the billing API.",
    )
    cascade: Annotated[tuple[Kind, ...], *Listed] = Field(
        default=("workspace", "user"), description="Who is asked to pay, in this order; one of them pays all of it."
    )
    defaults: DefaultsSettings = Field(
        default=DefaultsSettings(), description="The plans of scopes that have no subscription."
    )
    plans: Annotated[tuple[PlanSettings, ...], *Listed] = Field(default=(), description="What there is to spend.")
    subscriptions: Annotated[tuple[SubscriptionSettings, ...], *Listed] = Field(
        default=(), description="Fixed ones, for deployments without a billing database."
    )
    rules: Annotated[tuple[RuleSettings, ...], *Listed] = Field(
        default=(), description="What requests cost. A request that no rule matches costs 1."
    )
    include: Annotated[tuple[Text, ...], *Listed] = Field(
        default=(),
        description="Other files: `preset:wacraft` or a path relative to this file. Their plans, subscriptions, rules "
        "and API keys are added; of everything else this file's value counts, then the last file's that has one.",
    )
    ledger: Annotated[LedgerSettings, BeforeValidator(_of_url)] = Field(
        default=LedgerSettings(), description="Where charges are kept: a URL, or a mapping of the keys below."
    )
    store: StoreUrl | None = Field(
        default="sqlite:///weighbridge.db",
        description="The billing database: `sqlite:///path`, relative to where the gateway runs, or "
        "`postgresql://user@host/name`, with its password from `${…}`. `null`: none; only what this file says counts.",
        json_schema_extra=RESTART,
        repr=False,
    )
    on_store_failure: StorePolicy = Field(
        default="open",
        description="`open`: requests pass while the ledger cannot be written, charged afterwards. `closed`: 503. "
        "`lease`: with `ledger.mode: leased`, what this gateway holds is spent, then 503.",
    )
    fallback: FallbackSettings = Field(
        default=FallbackSettings(), description="The budget of those who have spent everything."
    )
    headers: HeaderSettings = Field(default=HeaderSettings(), description="Headers that tell how a budget stands.")
    errors: Literal["wacraft", "problem"] = Field(
        default="wacraft", description="The shape of error bodies: wacraft's, or RFC 9457 problem details."
    )
    buy_url: BuyUrl | None = Field(
        default=None, description="Where budgets are sold; a 429 names it. `null`: none is named."
    )
    payments: PaymentsSettings = Field(
        default=PaymentsSettings(), description="Who takes the money, and what happens when it does not come."
    )
    cors: CorsSettings = Field(default=CorsSettings(), description="What browsers may read.")
    prefixes: PrefixSettings = Field(default=PrefixSettings(), description="Paths that are the gateway's own.")
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="Prometheus metrics.")
    log: LogSettings = Field(default=LogSettings(), description="What is written down.")
    fast_lane: bool = Field(
        default=True,
        description="Plain requests take a shorter way through the gateway, with the same answers, debits and records. "
        "`false`: all take the long one.",
        json_schema_extra=RESTART,
    )
    limits: LimitsSettings = Field(default=LimitsSettings(), description="What a client may ask of the gateway.")

    _source: Source = PrivateAttr(default_factory=Source)

    @property
    def source(self) -> Source:
        """Which files this was read from, and where each value stands in them."""
        return self._source

    @property
    def warnings(self) -> list[str]:
        """Sentences for ``weighbridge check``: allowed, and probably not what was wanted."""
        return cautions(self)

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Self:
        fail_on(faults(self, info.context if isinstance(info.context, Known) else Known()))
        return self
