"""``plans`` and ``subscriptions``: what there is to spend, and who has it."""

from ipaddress import ip_network
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from gateway.settings.base import Fault, Section, fail_on, wrong
from gateway.settings.names import Kind, Listed, ScopeId, Slug, Text
from gateway.settings.units import Duration, Flag, Instant, PositiveDuration, Whole

RefillName = Literal["interval", "continuous"]
AnchorName = Literal["epoch", "subscription", "day", "month"]
Amount = Annotated[Whole, Field(ge=-1, le=10**15)]
Seconds = Annotated[Whole, Field(ge=1, le=10 * 366 * 86_400)]
Burst = Annotated[Whole, Field(ge=1, le=10**15)]

_SUGAR = ("throughput_limit", "window_seconds", "refill", "anchor", "burst")
_DAY = Duration.parse("1d")
_LONGEST = Duration.parse("3660d")


def _zone(value: str) -> str:
    if value == "UTC":
        return value  # known everywhere, also where the system has no time zone database
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong("must be a time zone such as UTC or Europe/Berlin") from None
    return value


def _calendar_faults(anchor: AnchorName | None, window_us: int | None, refill: RefillName, at: str) -> list[Fault]:
    """A calendar knows its own window."""
    if anchor not in ("day", "month"):
        return []
    faults = []
    if refill == "continuous":
        faults.append(Fault(("anchor",), f"{anchor} does nothing with refill: continuous, which has no windows"))
    if window_us is not None and (anchor == "month" or window_us != _DAY):
        faults.append(Fault((at,), f"does nothing with anchor: {anchor}, which says how long the window is"))
    return faults


class LimitSettings(Section):
    """An amount per window of one meter. Several limits of a plan hold at once."""

    meter: Literal["throughput"] = Field(
        default="throughput",
        description="What is counted: `throughput`, the sum of the weights, is all that this build feeds.",
    )
    amount: Amount = Field(description="Units per window. 0 or -1: unlimited, as in wacraft.")
    window: PositiveDuration | None = Field(
        default=None, description="How long a window is, such as `1s` or `30d`. Left out with `anchor: day` or `month`."
    )
    refill: RefillName = Field(
        default="interval",
        description="`interval`: full again when a window ends. `continuous`: comes back evenly, a token bucket.",
    )
    anchor: AnchorName | None = Field(
        default=None,
        description="Where windows begin: `epoch` (multiples since 1970), `subscription` (its start), or the "
        "calendar's `day` or `month`. `null`: epoch under a day, subscription from a day on.",
    )
    burst: Burst | None = Field(
        default=None, description="How much a continuous limit can hold. `null`: `amount`. More forgives, less smooths."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        faults = _calendar_faults(self.anchor, self.window, self.refill, "window")
        if self.window is None and self.amount > 0 and self.anchor not in ("day", "month"):
            faults.append(Fault(("window",), "is required: an amount without a window is a pack (pack: true)"))
        if self.window is not None and self.window > _LONGEST:
            faults.append(Fault(("window",), "must be at most 3660d"))
        fail_on(faults + _refill_faults(self.refill, self.anchor, self.burst))
        return self


def _client_network(text: str) -> str | None:
    """``text`` as budgets of client networks are keyed: an IPv4 address or an IPv6 /64. ``None``: it is neither."""
    try:
        network = ip_network(text)
    except ValueError:
        return None
    if network.version == 4:  # noqa: PLR2004
        return str(network.network_address)
    return str(network) if network.prefixlen == 64 else None  # noqa: PLR2004


def _refill_faults(refill: RefillName, anchor: AnchorName | None, burst: int | None) -> list[Fault]:
    faults = []
    if burst is not None and refill != "continuous":
        faults.append(Fault(("burst",), "does nothing unless refill is continuous"))
    if anchor in ("epoch", "subscription") and refill == "continuous":
        faults.append(Fault(("anchor",), "does nothing with refill: continuous, which has no windows"))
    return faults


class PlanSettings(Section):
    """What a scope can have. Either one limit in short (throughput_limit, window_seconds, …) or a list of limits."""

    slug: Slug = Field(description="The plan's name in defaults, subscriptions and fallback.")
    name: Text | None = Field(default=None, description="The plan's name for people. `null`: the slug.")
    throughput_limit: Amount | None = Field(
        default=None,
        description="Units of weight per window, or in a pack altogether. 0 or -1: unlimited, as in wacraft.",
    )
    window_seconds: Seconds | None = Field(default=None, description="How long a window of `throughput_limit` is.")
    refill: RefillName = Field(
        default="interval", description="How `throughput_limit` comes back; see `limits[].refill`."
    )
    anchor: AnchorName | None = Field(default=None, description="Where its windows begin; see `limits[].anchor`.")
    burst: Burst | None = Field(
        default=None, description="What a continuous `throughput_limit` can hold. `null`: the limit."
    )
    limits: Annotated[tuple[LimitSettings, ...], *Listed] = Field(
        default=(),
        description="Several limits instead of one; a request must fit into all: 10 per second and 1 M per month.",
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="Whose days and months the calendar anchors mean."
    )
    unlimited: Flag = Field(default=False, description="Nothing is counted for whoever has this plan.")
    pack: Flag = Field(
        default=False, description="`throughput_limit` is spent once and never refills; it ends with its subscription."
    )

    @property
    def calendar(self) -> bool:
        """Whether any of its windows follows the calendar."""
        return any(anchor in ("day", "month") for anchor in (self.anchor, *(limit.anchor for limit in self.limits)))

    @model_validator(mode="after")
    def _sound(self) -> Self:
        given = self._given()
        if self.unlimited:
            useless = [*given, *(key for key in ("limits", "pack") if getattr(self, key))]
            faults = [Fault((key,), "does nothing in a plan that is unlimited") for key in useless]
        elif self.limits:
            faults = [Fault((key,), "say it inside limits: a plan has either limits or this") for key in given]
            faults += [Fault(("pack",), "a pack has throughput_limit alone")] if self.pack else []
        else:
            faults = self._one_limit()
        if self.time_zone != "UTC" and not self.calendar:
            faults.append(Fault(("time_zone",), "does nothing without anchor: day or anchor: month"))
        fail_on(faults)
        return self

    def _given(self) -> list[str]:
        return [key for key in _SUGAR if getattr(self, key) != type(self).model_fields[key].default]

    def _one_limit(self) -> list[Fault]:
        if self.throughput_limit is None:
            return [Fault((), "a plan needs throughput_limit, limits or unlimited: true")]
        if self.pack:
            faults = [
                Fault((key,), "does nothing in a pack, which never refills")
                for key in self._given()
                if key != "throughput_limit"
            ]
            if self.throughput_limit <= 0:
                faults.append(
                    Fault(("throughput_limit",), "must be at least 1 in a pack; unlimited: true counts nothing")
                )
            return faults
        window = None if self.window_seconds is None else self.window_seconds * 1_000_000
        faults = _calendar_faults(self.anchor, window, self.refill, "window_seconds")
        if window is None and self.throughput_limit > 0 and self.anchor not in ("day", "month"):
            faults.append(Fault(("window_seconds",), "is required with throughput_limit, except in a pack"))
        return faults + _refill_faults(self.refill, self.anchor, self.burst)


class SubscriptionSettings(Section):
    """A plan that one scope has. Several subscriptions of one scope add up."""

    plan: Slug = Field(description="The slug of the plan.")
    scope: Kind = Field(description="What kind of scope has it: `workspace`, `user` or `address`.")
    id: ScopeId = Field(description="Which one. UUIDs may be spelled in any way.")
    starts: Instant | None = Field(
        default=None,
        description="From when on it counts, and where its `anchor: subscription` windows begin. `null`: 1970.",
    )
    ends: Instant | None = Field(default=None, description="From when on it counts no more. `null`: never.")
    throughput_override: Amount | None = Field(
        default=None,
        description="Replaces the plan's throughput for this subscription. 0 or -1: unlimited. `null`: the plan's.",
    )

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        empty = self.ends is not None and self.ends <= (self.starts or 0)
        faults = [Fault(("ends",), "must be after starts, or the subscription never counts")] if empty else []
        if self.scope == "address" and _client_network(self.id) != self.id:
            faults.append(Fault(("id",), "must be an IPv4 address, or an IPv6 network such as 2001:db8::/64"))
        fail_on(faults)
        return self


class DefaultsSettings(Section):
    """The plans of scopes that have no subscription."""

    workspace: Slug | None = Field(
        default=None,
        description="The plan of a workspace. `null`: nothing of its own, because workspaces are free to create.",
    )
    user: Slug | None = Field(default=None, description="The plan of a user. `null`: nothing of their own.")
    address: Slug | None = Field(default=None, description="The plan of a client network. `null`: nothing of its own.")


class FallbackSettings(Section):
    """A separate budget, so that a customer who has spent everything can still look at plans and pay."""

    plan: Slug | None = Field(
        default=None, description="The plan of this budget, used by rules with `fallback: true`. `null`: there is none."
    )
