"""``payments``: who takes the money, and what happens when it does not come."""

import re
from typing import Annotated, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, PlainValidator, SecretStr, model_validator

from gateway.settings.base import RESTART, Fault, Section, fail_on, wrong
from gateway.settings.names import Listed, Slug, Text
from gateway.settings.units import AnyDuration, Duration, Flag, PositiveDuration, Whole

_KEY = re.compile(r"(?:sk|rk)_(?:test|live)_[A-Za-z0-9]{8,}")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_DAY = Duration.parse("1d")
_THEN = re.compile(r"off|throttle|plan [A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _api_key(value: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(value.get_secret_value()):
        raise wrong("must be a secret or restricted key of Stripe's: sk_test_…, sk_live_…, rk_test_… or rk_live_…")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith("whsec_"):
        raise wrong("must be a signing secret of Stripe's: whsec_…")
    return value


def _parts(value: str) -> SplitResult:
    try:
        return urlsplit(value)
    except ValueError:  # half an IPv6 address
        raise wrong("must be a URL") from None


def _base(value: str) -> str:
    parts = _parts(value)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not secure or not parts.netloc or parts.path not in ("", "/") or parts.query:
        raise wrong("must be an https origin, or http on this machine")
    return value.rstrip("/")


def _origin(value: str) -> str:
    parts = _parts(value)
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.path not in ("", "/") or "@" in parts.netloc:
        raise wrong("must be an origin, such as https://app.example.com")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _then(value: str) -> str:
    if not _THEN.fullmatch(value):
        raise wrong("must be off, throttle, or plan and the slug of a plan of the configuration, such as `plan free`")
    return value


def _days(value: object) -> Duration:
    duration = Duration.parse(value)
    if duration == 0 or duration % _DAY:
        raise wrong("must be whole days, such as 14d")
    return duration


Days = Annotated[Duration, PlainValidator(_days)]


class StripeSettings(Section):
    """An account of Stripe's."""

    api_key: Annotated[SecretStr, AfterValidator(_api_key)] = Field(
        description="The secret key, or a restricted one. From the environment, never written in a file."
    )
    webhook_secrets: Annotated[tuple[Annotated[SecretStr, AfterValidator(_webhook_secret)], ...], *Listed] = Field(
        default=(),
        description="Signing secrets of the webhook endpoint; while one is replaced, both. None: webhooks are refused, "
        "and what happens is noticed by the sync alone.",
    )
    account: Text | None = Field(
        default=None,
        description="The account that the key has to be of: `acct_…`. `null`: the one that it is of first.",
    )
    app: Slug = Field(
        default="weighbridge",
        description="Marks what this gateway makes, where several programs sell through one account.",
    )
    api_base: Annotated[str, AfterValidator(_base)] | None = Field(
        default=None, description="Where requests go instead of Stripe, for tests. `null`: Stripe."
    )
    timeout: PositiveDuration = Field(default=Duration.parse("20s"), description="How long Stripe may take to answer.")
    retries: Annotated[Whole, Field(ge=0, le=5)] = Field(
        default=2, description="How often a request is repeated when Stripe cannot be reached or fails."
    )
    demo: Flag = Field(
        default=False,
        description="Whether `api_base` is the stand-in of `weighbridge demo`: pages say that it is not real.",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        live = not self.api_key.get_secret_value().startswith(("sk_test_", "rk_test_"))
        faults = []
        if self.demo and (self.api_base is None or live):
            faults.append(Fault(("demo",), "needs api_base and a test key: nothing of a demo is real"))
        if live and self.api_base is not None:
            faults.append(Fault(("api_base",), "would send a live key somewhere else than to Stripe"))
        fail_on(faults)
        return self


class PastDueSettings(Section):
    """What happens when a renewal could not be charged."""

    grace: AnyDuration = Field(
        default=Duration.parse("3d"), description="How long everything goes on while the provider tries again."
    )
    then: Annotated[str, AfterValidator(_then)] = Field(
        default="off",
        description="After that: `off`: nothing; `throttle`: a part of the throughput (of no limit: nothing); "
        "`plan free`: another plan.",
    )
    throttle_percent: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=10, description="Which part of the plan's throughput `throttle` leaves."
    )


class PaymentsSettings(Section):
    """Who takes the money, and what happens when it does not come."""

    stripe: StripeSettings | None = Field(
        default=None,
        description="An account of Stripe's. `null`: nothing is sold through it.",
        json_schema_extra=RESTART,
    )
    return_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], *Listed] | None = Field(
        default=None,
        description="Where customers may be sent back to after paying. `null`: any https page, which `check` warns of.",
    )
    renewal_slack: AnyDuration = Field(
        default=Duration.parse("2h"),
        description="How long a period that has ended goes on while its renewal is charged: Stripe takes an hour.",
    )
    past_due: PastDueSettings = Field(default=PastDueSettings(), description="When a renewal could not be charged.")
    trials: dict[Slug, Days] = Field(
        default={},
        description="Plans that renew and begin with a trial: `{pro: 14d}`. Each once for a user and for a workspace.",
    )
    pending: PositiveDuration = Field(
        default=Duration.parse("10m"), description="After which time an order that is not paid is looked up."
    )
    sync: PositiveDuration = Field(
        default=Duration.parse("1m"), description="How often the sync asks what has happened."
    )
    calls_per_second: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=5,
        description="How many requests a second the sync may make to compare sales. All requests together are "
        "bounded by what Stripe bears.",
    )
