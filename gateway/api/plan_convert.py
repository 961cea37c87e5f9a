"""Plans from JSON to drafts, with every field that does not fit, and back."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.api.plan_models import CreatePlan, CreatePrice, LimitSaid, LimitTold, Plan, PlanPrice, UpdatePlan
from gateway.api.reading import refuse
from gateway.billing.both import SINCE_US
from gateway.billing.plans import FilePlan, Offer
from gateway.core.bucket import Anchor, Calendar, Epoch, Refill
from gateway.core.plan import THROUGHPUT, PlanLimit
from gateway.store.plans import Edit
from gateway.store.rows import PlanDraft, PriceDraft, PriceRow, Terms

_SECOND_US = 1_000_000
_CALENDAR_S = {"day": 86_400, "month": 31 * 86_400}
_PACK = "does nothing in a pack, which never refills"
Fault = tuple[str, str]


def draft_of(said: CreatePlan) -> PlanDraft:
    """A plan to be made. Raises ``Unprocessable``."""
    if said.throughput_limit is None and said.limits is None and not said.unlimited:
        raise refuse(("throughput_limit", "is required, or limits, or unlimited: true; 0 is unlimited"))
    start = Terms((), said.duration_days)
    return PlanDraft(
        slug=said.slug,
        name=said.name,
        terms=_terms(start, UpdatePlan.model_validate(said.model_dump(include=_OF_TERMS, exclude_none=True))),
        description=said.description or None,
        is_default=said.is_default,
        is_custom=said.is_custom,
        active=said.active,
    )


_OF_TERMS = {"throughput_limit", "window_seconds", "duration_days", "unlimited", "pack", "burn_rank", "limits"}
_PLAIN = ("name", "slug", "is_default", "is_custom", "active")


def edit_of(said: UpdatePlan) -> Edit:
    """What an update makes of a plan; raises ``Unprocessable`` when it is applied."""

    def edit(old: PlanDraft) -> PlanDraft:
        changed = {name: getattr(said, name) for name in _PLAIN if getattr(said, name) is not None}
        if "description" in said.model_fields_set:
            changed["description"] = said.description or None
        return replace(old, **changed, terms=_terms(old.terms, said))

    return edit


def price_draft(said: CreatePrice) -> PriceDraft:
    """A price to be made."""
    return PriceDraft(currency=said.currency, amount=said.price_cents, is_default=said.is_default)


def _terms(old: Terms, said: UpdatePlan) -> Terms:
    """``old`` with what is said. Raises ``Unprocessable`` with everything that does not go together."""
    faults: list[Fault] = []
    pack = old.pack if said.pack is None else said.pack
    unlimited = old.unlimited if said.unlimited is None else said.unlimited
    if said.limits is not None:
        faults += [
            (name, "say it inside limits: a plan has either limits or this")
            for name in ("throughput_limit", "window_seconds")
            if getattr(said, name) is not None
        ]
        limits = tuple(_limit(limit, f"limits.{index}", faults) for index, limit in enumerate(said.limits))
        unlimited = unlimited if said.unlimited else False
    else:
        if (said.throughput_limit or 0) > 0 and said.unlimited is None:
            unlimited = False
        limits = () if unlimited else _first_limit(old, said, faults, pack=pack)
    if unlimited:
        wrong = [name for name in ("throughput_limit", "window_seconds", "limits", "pack") if getattr(said, name)]
        faults += [(name, "does nothing in a plan that is unlimited") for name in wrong]
        limits, pack = (), False
    elif not limits and not faults:
        faults.append(("throughput_limit", "is required, or limits, in a plan that is not unlimited"))
    faults += _together(limits, pack=pack)
    if faults:
        raise refuse(*faults)
    rank = said.burn_rank if "burn_rank" in said.model_fields_set else old.burn_rank
    return Terms(limits, said.duration_days or old.duration_days, unlimited, pack, rank)


def _first_limit(old: Terms, said: UpdatePlan, faults: list[Fault], *, pack: bool) -> tuple[PlanLimit, ...]:
    """The limits where wacraft's two fields speak of the first on throughput."""
    amount, window, first = said.throughput_limit, said.window_seconds or None, old.throughput
    if first is not None and pack == old.pack:
        changed = _changed(first, said, faults)
        return tuple(changed if limit is first else limit for limit in old.limits)
    if pack:
        faults += [("window_seconds", _PACK)] if window is not None else []
        faults += [("throughput_limit", "is required where a plan becomes a pack")] if amount is None else []
        return (PlanLimit(THROUGHPUT, 1 if amount is None else amount, 0, Refill.NEVER),)
    if amount is None and window is None and first is None:
        return ()
    both = (("throughput_limit", amount), ("window_seconds", window))
    faults += [(name, "is required, as the plan has no such limit yet") for name, value in both if value is None]
    return (PlanLimit(THROUGHPUT, amount or 0, (window or 1) * _SECOND_US),)


def _changed(first: PlanLimit, said: UpdatePlan, faults: list[Fault]) -> PlanLimit:
    if said.throughput_limit is not None:
        first = replace(first, amount=said.throughput_limit)
    if not said.window_seconds or said.window_seconds * _SECOND_US == first.window_us:
        return first
    if first.refill is Refill.NEVER:
        faults.append(("window_seconds", _PACK))
    elif isinstance(first.anchor, Calendar):
        faults.append(("window_seconds", "does nothing: the calendar says how long a window is. Use limits"))
    else:
        first = replace(first, window_us=said.window_seconds * _SECOND_US)
    return first


def _limit(said: LimitSaid, at: str, faults: list[Fault]) -> PlanLimit:
    faults += [(f"{at}.{name}", problem) for name, problem in _faults(said)]
    calendar = said.anchor if said.anchor in _CALENDAR_S else None
    window_s = _CALENDAR_S[calendar] if calendar is not None else said.window_seconds or 0
    if not window_s and said.refill != "never":
        window_s = 1  # unlimited, or a fault
    anchor: Anchor | str | None = Epoch() if said.anchor == "epoch" else said.anchor
    if calendar is not None:
        zone = _zone(said.time_zone or "UTC")
        if zone is None:
            faults.append((f"{at}.time_zone", "must be a time zone such as UTC or Europe/Berlin"))
        anchor = Calendar("day" if calendar == "day" else "month", zone or UTC)
    return PlanLimit(said.meter, said.amount, window_s * _SECOND_US, Refill(said.refill), anchor, said.burst or 0)


def _faults(said: LimitSaid) -> Iterator[Fault]:
    """What in one limit does not go together."""
    calendar = said.anchor in _CALENDAR_S
    if said.refill != "interval" and said.anchor is not None:
        yield "anchor", f"does nothing with refill: {said.refill}, which has no windows"
    if said.refill != "continuous" and said.burst is not None:
        yield "burst", "does nothing unless refill is continuous"
    if said.time_zone is not None and not calendar:
        yield "time_zone", "does nothing without anchor: day or anchor: month"
    if said.refill == "never":
        if said.amount < 1:
            yield "amount", "must be at least 1 in a pack"
        if said.window_seconds is not None:
            yield "window_seconds", "does nothing with refill: never"
    elif calendar:
        if said.window_seconds not in (None, _CALENDAR_S[said.anchor or "day"]):
            yield "window_seconds", f"does nothing with anchor: {said.anchor}, which says how long the window is"
    elif said.window_seconds is None and said.amount > 0:
        yield "window_seconds", "is required"


def _together(limits: Sequence[PlanLimit], *, pack: bool) -> Iterator[Fault]:
    never = [limit.refill is Refill.NEVER for limit in limits]
    if pack and not all(never):
        yield "pack", "in a pack every limit is refill: never"
    if not pack and any(never):
        yield "pack", "must be true where limits never refill"
    if pack and any(limit.amount < 1 for limit in limits):
        yield "throughput_limit", "must be at least 1 in a pack; unlimited: true counts nothing"
    alike = {(limit.meter, limit.window_us, limit.refill, str(limit.anchor)) for limit in limits}
    if len(alike) < len(limits):
        yield "limits", "two of them are for the same meter and window"


def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def told(offer: Offer, *, prices: bool = True) -> Plan:
    """A plan as it is shown."""
    if isinstance(offer, FilePlan):
        plan, since = offer.plan, SINCE_US
        terms = Terms(plan.limits, 1, plan.unlimited, plan.pack, plan.burn_rank)
        return _told(
            terms,
            name=plan.name,
            slug=plan.slug,
            is_default=offer.is_default,
            is_custom=offer.is_custom,
            active=True,
            id=offer.id,
            created_at=since,
            updated_at=since,
            version=plan.version,
            source="file",
            shadowed=offer.shadowed or None,
        )
    return _told(
        offer.terms,
        name=offer.name,
        slug=offer.slug,
        description=offer.description,
        duration_days=offer.terms.duration_days,
        is_default=offer.is_default,
        is_custom=offer.is_custom,
        active=offer.active,
        prices=[told_price(price) for price in offer.prices] or None if prices else None,
        id=offer.id,
        created_at=offer.created_us,
        updated_at=offer.updated_us,
        version=offer.version,
        source="database",
    )


def _told(terms: Terms, **fields: object) -> Plan:
    first = terms.throughput
    amount, window_us = (0, 0) if first is None else (first.amount, first.window_us)
    return Plan.model_validate(
        {
            "throughput_limit": max(amount, 0),
            "window_seconds": window_us // _SECOND_US,
            "unlimited": terms.unlimited or (first is not None and amount <= 0),
            "pack": terms.pack,
            "burn_rank": terms.burn_rank,
            "limits": [_told_limit(limit) for limit in terms.limits],
            **fields,
        }
    )


def _told_limit(limit: PlanLimit) -> LimitTold:
    anchor, zone = limit.anchor, None
    match limit.anchor:
        case Calendar() as calendar:
            anchor, zone = calendar.unit, calendar.zone_name
        case Epoch():
            anchor = "epoch"
    return LimitTold.model_validate(
        {
            "meter": limit.meter,
            "amount": max(limit.amount, 0),
            "window_seconds": limit.window_us // _SECOND_US,
            "refill": limit.refill.value,
            "anchor": anchor,
            "time_zone": zone,
            "burst": limit.burst or None,
        }
    )


def told_price(price: PriceRow) -> PlanPrice:
    """A price as it is shown."""
    return PlanPrice(
        plan_id=price.plan_id,
        currency=price.currency,
        price_cents=price.amount,
        is_default=price.is_default,
        id=price.id,
        created_at=price.created_us,
        updated_at=price.updated_us,
    )
