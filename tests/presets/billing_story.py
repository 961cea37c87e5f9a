"""The web client's calls of the billing API as ``tests/cases/wacraft/billing.txt`` writes them down."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.presets.wacraft import CASES

_UUID, _TIME = "uuid", "time"
ENTITIES: Mapping[str, Mapping[str, object]] = {
    # wacraft.md 3: what the client reads; a name with ? may be absent.
    "Plan": {
        "id": _UUID, "created_at": _TIME, "updated_at": _TIME, "name": str, "slug": str, "description?": str,
        "throughput_limit": int, "window_seconds": int, "duration_days?": int, "is_default": bool, "is_custom": bool,
        "active": bool, "prices?": list,
    },
    "PlanPrice": {
        "id": _UUID, "created_at": _TIME, "updated_at": _TIME, "plan_id": _UUID, "currency": str, "price_cents": int,
        "is_default": bool,
    },
    "Subscription": {
        "id": _UUID, "created_at": _TIME, "updated_at": _TIME, "plan_id": _UUID, "scope": str, "user_id": _UUID,
        "workspace_id?": _UUID, "throughput_override?": int, "starts_at": _TIME, "expires_at": _TIME,
        "cancelled_at?": _TIME, "payment_provider": str, "payment_external_id?": str, "payment_mode": str,
        "stripe_subscription_id?": str, "cancel_at_period_end": bool, "status": str, "plan": dict,
    },
    "EndpointWeight": {
        "id": _UUID, "created_at": _TIME, "updated_at": _TIME, "method": str, "path_pattern": str, "weight": int,
        "description?": str,
    },
    "UsageSummary": {
        "scope": str, "user_id?": _UUID, "workspace_id?": _UUID, "unlimited": bool, "throughput_limit": int,
        "window_seconds": int, "current_usage": int, "remaining": int, "fallback": bool,
    },
    "Checkout": {"checkout_url": str, "external_id": str},
    "Payments": {"data": list, "has_more": bool, "next_cursor?": str},
    "error": {"context": str, "description": str, "message": str, "content?": dict},
}  # fmt: skip


@dataclass(slots=True)
class Step:
    """One call. ``kept``: names and where their values stand in the answer. ``paid``: pages on which is paid after."""

    line: int
    who: str
    workspace: str
    method: str
    target: str
    status: int
    entity: str
    body: str | None = None
    holds: str | None = None
    kept: dict[str, str] = field(default_factory=dict)
    paid: list[str] = field(default_factory=list)


def story() -> Iterator[Step]:
    """All calls, in the order of the file."""
    step: Step | None = None
    for number, line in enumerate((CASES / "billing.txt").read_text().splitlines(), start=1):
        if line.startswith("    ") and step is not None:
            _add(step, *line.strip().split(" ", 1))
        elif line and not line.startswith("#"):
            if step is not None:
                yield step
            who, workspace, method, target, status, entity = line.split()
            step = Step(number, who, workspace, method, target, int(status), entity)
    if step is not None:
        yield step


def _add(step: Step, sign: str, rest: str) -> None:
    match sign:
        case ">":
            step.body = rest
        case "<":
            step.holds = rest
        case "=":
            name, path = rest.split()
            step.kept[name] = path
        case "*":
            step.paid.append(rest.removeprefix("pay "))
        case _:
            raise ValueError(f"line {step.line}: {sign} means nothing")


def filled(text: str, names: Mapping[str, str]) -> str:
    """``text`` with what was kept in the place of ``{name}``."""
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def at(value: Any, path: str) -> Any:
    """What stands at ``path``, such as ``0.id``."""
    for step in path.split("."):
        value = value[int(step) if step.isdigit() else step]
    return value


def check_entity(value: Any, entity: str) -> None:
    """Fails unless ``value`` is what the client takes for an ``entity``."""
    if entity.startswith("["):
        assert isinstance(value, list), value
        for each in value:
            check_entity(each, entity.strip("[]"))
        return
    assert isinstance(value, dict), value
    for name, kind in ENTITIES[entity].items():
        optional, name_ = name.endswith("?"), name.rstrip("?")
        if name_ not in value:
            assert optional, f"{entity} has no {name_}: {value}"
            continue
        found = value[name_]
        if kind == _UUID:
            assert len(found) == 36, f"{name_}: {found}"
        elif kind == _TIME:
            assert found[10] == "T", f"{name_}: {found}"
            assert found.endswith("Z"), f"{name_}: {found}"
        else:
            assert type(found) is kind, f"{name_}: {found}"


def check_holds(value: Any, wanted: Any) -> None:
    """Fails unless ``value`` has all that ``wanted`` says; ``"*"``: anything; ``"..."``: more of them may follow."""
    match wanted:
        case "*":
            assert value is not None
        case dict():
            for name, inner in wanted.items():
                assert name in value, f"no {name} in {value}"
                check_holds(value[name], inner)
        case list():
            more = wanted[-1:] == ["..."]
            said = wanted[:-1] if more else wanted
            assert len(value) >= len(said) if more else len(value) == len(said), value
            for found, inner in zip(value, said, strict=False):
                check_holds(found, inner)
        case _:
            assert value == wanted


def parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)
