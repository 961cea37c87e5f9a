"""Plans in JSON: wacraft's fields, and what goes beyond them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from gateway.api.fields import LARGEST, Flag, Line, Paragraph, Said, Time, Told, Whole, wrong
from gateway.core.money import EXPONENTS

RefillName = Literal["interval", "continuous", "never"]
ApplyToName = Literal["current", "existing", "new"]
AnchorName = Literal["epoch", "subscription", "day", "month"]
LONGEST_WINDOW_S = 10 * 366 * 86_400
LONGEST_DAYS = 36_600
_MOST_LIMITS, _MOST_PRICES = 16, len(EXPONENTS)


def _currency(value: object) -> str:
    code = value.lower() if isinstance(value, str) else ""
    if code not in EXPONENTS:
        raise wrong("must be a currency of ISO 4217, such as usd")
    return code


Amount = Annotated[Whole, Field(ge=-1, le=LARGEST)]
Minor = Annotated[Whole, Field(ge=0, le=LARGEST)]
Seconds = Annotated[Whole, Field(ge=1, le=LONGEST_WINDOW_S)]
Days = Annotated[Whole, Field(ge=1, le=LONGEST_DAYS)]
Rank = Annotated[Whole, Field(ge=-1_000_000, le=1_000_000)]
Slug = Annotated[Line, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Name = Annotated[Line, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]
Description = Annotated[Paragraph, StringConstraints(max_length=10_000)]
Currency = Annotated[str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "enum": sorted(EXPONENTS)})]


class LimitSaid(Said):
    """An amount per window. ``interval``: full again when a window ends; ``continuous``: comes back evenly.

    ``never``: of a pack. ``anchor`` ``day`` and ``month`` know their window. Amounts of 0 or -1 are unlimited.
    """

    meter: Literal["throughput"] = "throughput"
    amount: Amount
    window_seconds: Seconds | None = None
    refill: RefillName = "interval"
    anchor: AnchorName | None = None
    time_zone: Annotated[Line, StringConstraints(min_length=1, max_length=64)] | None = None
    burst: Annotated[Whole, Field(ge=1, le=LARGEST)] | None = None


class CreatePrice(Said):
    """What a plan costs in one currency, in its minor unit."""

    currency: Currency
    price_cents: Minor
    is_default: Flag = False


class UpdatePrice(Said):
    """What of a price shall be otherwise."""

    currency: Currency | None = None
    price_cents: Minor | None = None
    is_default: Flag | None = None


def _one_default(prices: list[CreatePrice]) -> list[CreatePrice]:
    if sum(price.is_default for price in prices) > 1:
        raise wrong("one price may be the default")
    if len({price.currency for price in prices}) < len(prices):
        raise wrong("there is one price in a currency")
    return prices


class CreatePlan(Said):
    """A plan. Either ``throughput_limit`` (0: unlimited) with ``window_seconds``, or ``limits``, or ``unlimited``."""

    name: Name
    slug: Slug
    description: Description | None = None
    throughput_limit: Amount | None = None
    window_seconds: Seconds | None = None
    duration_days: Days
    is_default: Flag = False
    is_custom: Flag = False
    active: Flag = True
    unlimited: Flag = False
    pack: Flag = False
    burn_rank: Rank | None = None
    limits: Annotated[list[LimitSaid], Field(min_length=1, max_length=_MOST_LIMITS)] | None = None
    prices: Annotated[list[CreatePrice], Field(max_length=_MOST_PRICES), AfterValidator(_one_default)] = Field(
        default_factory=list
    )


class UpdatePlan(Said):
    """What of a plan shall be otherwise; what is left out stays.

    ``apply_to``: whom new terms are for: who has the newest terms (``current``), everybody who has the plan
    (``existing``; also brings those along who were left theirs), or those who will buy it (``new``).
    ``window_seconds`` 0, as packs and unlimited plans show it, is left out: so what this form has of a plan can be sent
    back as it was read.
    """

    name: Name | None = None
    slug: Slug | None = None
    description: Description | None = None
    throughput_limit: Amount | None = None
    window_seconds: Annotated[Whole, Field(ge=0, le=LONGEST_WINDOW_S)] | None = None
    duration_days: Days | None = None
    is_default: Flag | None = None
    is_custom: Flag | None = None
    active: Flag | None = None
    unlimited: Flag | None = None
    pack: Flag | None = None
    burn_rank: Rank | None = None
    limits: Annotated[list[LimitSaid], Field(min_length=1, max_length=_MOST_LIMITS)] | None = None
    apply_to: ApplyToName = "current"


class LimitTold(Told):
    """A limit of a plan. ``window_seconds``: 0 for what never refills."""

    meter: str
    amount: int
    window_seconds: int
    refill: RefillName
    anchor: AnchorName | None = None
    time_zone: str | None = None
    burst: int | None = None


class PlanPrice(Told):
    """A price of a plan. ``price_cents``: minor units of the currency."""

    plan_id: str
    currency: str
    price_cents: int
    is_default: bool
    id: str
    created_at: Time
    updated_at: Time


class Plan(Told):
    """A plan. ``throughput_limit``: of its first limit. ``unlimited``: nothing is counted for whoever has it.

    ``source``: ``file`` is the configuration, which is read-only here; ``shadowed``: it does not count, because the
    database has a plan of its slug.
    ``effective_default``: false where `defaults.user` counts instead. ``version`` counts the edits of its terms.
    """

    name: str
    slug: str
    description: str | None = None
    throughput_limit: int
    window_seconds: int
    duration_days: int | None = None
    is_default: bool
    is_custom: bool
    active: bool
    prices: list[PlanPrice] | None = None
    id: str
    created_at: Time
    updated_at: Time
    version: int
    source: Literal["database", "file"]
    unlimited: bool
    pack: bool
    burn_rank: int | None = None
    limits: list[LimitTold]
    shadowed: bool | None = None
    effective_default: bool | None = None
