"""``Settings`` → the values that the rest of the gateway works with, which never sees the settings themselves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.core.allowance import THROUGHPUT, Plan, PlanLimit, Subscription
from gateway.core.bucket import Calendar, Refill
from gateway.core.frame_match import FrameMatch
from gateway.core.problems import BadRequest
from gateway.core.rules import Origin, Rule
from gateway.core.scope import Scope
from gateway.core.target import PROFILES, Profile, canonical_target
from gateway.settings.places import Source
from gateway.settings.plans import AnchorName, LimitSettings, PlanSettings
from gateway.settings.rules import RuleSettings

if TYPE_CHECKING:
    from gateway.settings.models import Settings

_DAY_US = 86_400_000_000
_CALENDAR_US: Mapping[str, int] = {"day": _DAY_US, "month": 31 * _DAY_US}
_SECOND_US = 1_000_000


def profile(settings: "Settings") -> Profile:
    """How the upstream's router reads paths."""
    chosen = settings.upstream.profile
    named = PROFILES[chosen.name]
    return replace(
        named,
        decode=chosen.decode or named.decode,
        odd_segments=chosen.odd_segments or named.odd_segments,
        case=chosen.case or named.case,
        trailing_slash=chosen.trailing_slash or named.trailing_slash,
        matrix_params=chosen.matrix_params or named.matrix_params,
    )


def plans(settings: "Settings") -> dict[str, Plan]:
    """All plans by slug."""
    return {plan.slug: _plan(plan) for plan in settings.plans}


def defaults(settings: "Settings") -> dict[str, Plan | None]:
    """Kind of scope → the plan of those who have no subscription."""
    known = plans(settings)
    chosen = {kind: getattr(settings.defaults, kind) for kind in ("workspace", "user", "address")}
    return {kind: None if slug is None else known[slug] for kind, slug in chosen.items()}


def fallback(settings: "Settings") -> Plan | None:
    """The plan of the separate budget for those who have spent everything."""
    slug = settings.fallback.plan
    return None if slug is None else plans(settings)[slug]


def subscriptions(settings: "Settings") -> list[Subscription]:
    """The fixed subscriptions, in the order of the files.

    Their ids are stable while a scope's subscriptions keep their order, so that a changed plan carries what was spent.
    """
    known = plans(settings)
    ordinals: Counter[Scope] = Counter()
    found = []
    for held in settings.subscriptions:
        scope = Scope(held.scope, held.id)
        ordinals[scope] += 1
        found.append(
            Subscription(
                id=f"file:{scope}#{ordinals[scope]}",
                plan=known[held.plan],
                scope=scope,
                starts_us=held.starts or 0,
                ends_us=held.ends,
                throughput_override=held.throughput_override,
            )
        )
    return found


def rules(settings: "Settings") -> list[Rule]:
    """The rules with file and line of each."""
    return rules_of(settings.rules, settings.source)


def rules_of(written: Sequence[RuleSettings], source: Source) -> list[Rule]:
    """Rules as they stand at ``rules`` in ``source``."""
    found = []
    for index, rule in enumerate(written):
        place = source.place("rules", index)
        found.append(
            Rule(
                method=rule.method,
                pattern=rule.path,
                weight=rule.weight,
                pays=rule.pays,
                public=rule.public,
                fallback=rule.fallback,
                enforce=rule.enforce,
                charge=rule.charge,
                refund_on=frozenset(rule.refund_on),
                on_store_failure=rule.on_store_failure,
                strip_json=frozenset(rule.strip_json),
                frame_weight=rule.frame_weight,
                frame_match=_frame_match(rule),
                max_age_us=rule.max_age,
                origin=Origin("file", f"{place.file}:{place.line}"),
            )
        )
    return found


def _frame_match(rule: RuleSettings) -> FrameMatch | None:
    match = rule.frame_match
    return None if match is None else FrameMatch(match.text, match.prefix, match.members)


def workspace_map(settings: "Settings") -> dict[str, dict[str, str]]:
    """Path parameter → value as the profile reads it → workspace. Raises ``BadRequest`` for what no path can hold."""
    read_by = profile(settings)
    found: dict[str, dict[str, str]] = {}
    for param, values in settings.workspace.map.items():
        found[param] = {segment(value, read_by): workspace for value, workspace in values.items()}
    return found


def segment(text: str, read_by: Profile) -> str:
    """One path segment as requests have it. Raises ``BadRequest`` if no path has it."""
    segments = canonical_target("GET", b"/" + text.encode(), read_by).segments
    if len(segments) != 1 or "?" in text:
        raise BadRequest("It is not one segment of a path.")
    return segments[0]


def own_prefixes(settings: "Settings") -> tuple[str, ...]:
    """Paths that are never forwarded, without a slash at the end."""
    own = settings.prefixes
    back = (f"{own.api.rstrip('/')}-success", f"{own.api.rstrip('/')}-cancel")  # where a payment leads back to
    return tuple(prefix.rstrip("/") for prefix in (own.api, own.admin, own.internal, *back))


def _plan(plan: PlanSettings) -> Plan:
    name, zone = plan.name or plan.slug, _zone(plan.time_zone)
    if plan.unlimited:
        return Plan(plan.slug, name, (), unlimited=True)
    if plan.throughput_limit is None:
        return Plan(plan.slug, name, tuple(_limit(limit, zone) for limit in plan.limits))
    if plan.pack:
        pack = PlanLimit(THROUGHPUT, plan.throughput_limit, 0, Refill.NEVER)
        return Plan(plan.slug, name, (pack,), pack=True)
    limit = PlanLimit(
        THROUGHPUT,
        plan.throughput_limit,
        _window(None if plan.window_seconds is None else plan.window_seconds * _SECOND_US, plan.anchor),
        Refill(plan.refill),
        _anchor(plan.anchor, zone),
        plan.burst or 0,
    )
    return Plan(plan.slug, name, (limit,))


def _limit(limit: LimitSettings, zone: tzinfo) -> PlanLimit:
    window_us = _window(limit.window, limit.anchor)
    anchor = _anchor(limit.anchor, zone)
    return PlanLimit(limit.meter, limit.amount, window_us, Refill(limit.refill), anchor, limit.burst or 0)


def _window(window_us: int | None, anchor: AnchorName | None) -> int:
    """Nominal for the calendar. An unlimited amount may come without a window; a day keeps the arithmetic sound."""
    if anchor is not None and anchor in _CALENDAR_US:
        return _CALENDAR_US[anchor]
    return int(window_us) if window_us is not None else _DAY_US


def _anchor(anchor: AnchorName | None, zone: tzinfo) -> Calendar | str | None:
    match anchor:
        case "day" | "month":
            return Calendar(anchor, zone)
        case _:
            return anchor


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
