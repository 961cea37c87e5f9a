"""Subscription Schedules read: whether one still runs, whose it is, and which plan it waits for."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

_RUNNING = ("not_started", "active")


def running(subscription: Json) -> Json | None:
    """The schedule of a subscription, expanded; ``None``: it has none, or one that has come to its end."""
    schedule = subscription.get("schedule")
    return schedule if isinstance(schedule, Mapping) and schedule["status"] in _RUNNING else None


def is_ours(schedule: Json, app: str) -> bool:
    """Whether we have made it, also if only half: what it says was to be written in a second request."""
    said = schedule.get("metadata") or {}
    half = not said and len(schedule["phases"]) == 1 and schedule["end_behavior"] == "release"
    return half or said.get("app") == app


def agreed_next(schedule: Json | None, app: str) -> str | None:
    """The plan of the next period, if a schedule of ours still waits for it."""
    if schedule is None or schedule["status"] != "active":
        return None
    said, phases, now = schedule.get("metadata") or {}, schedule["phases"], schedule.get("current_phase") or {}
    waits = now.get("start_date") == phases[0]["start_date"] and len(phases) > 1
    return said.get("plan_id") if waits and said.get("app") == app else None
