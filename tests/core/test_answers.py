"""The error shape in its two dialects (product.md 2.7; wacraft's own; RFC 9457)."""

import json
from typing import Any, get_args

import pytest

from gateway.core.allowance import fallback_allowance
from gateway.core.answers import Body, Dialect, content_type, problem_body, refusal_body
from gateway.core.bucket import Refill
from gateway.core.cascade import Refusal
from gateway.core.problems import Problem, StoreUnavailable, Unauthorized
from tests.core.budgets import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    USER,
    WORKSPACE,
    Shop,
    allowance_of,
    default_of,
    per,
    plan,
    subscription,
)

DIALECTS = get_args(Dialect)
MINUTE_LEFT = (MINUTE - NOW % MINUTE) // SECOND
HOUR_LEFT = (HOUR - NOW % HOUR) // SECOND


def details(body: Body) -> dict[str, Any]:
    """What programs read: under ``content`` in wacraft's shape, beside the standard members in RFC 9457."""
    found: dict[str, Any] = json.loads(json.dumps(body))
    inner: dict[str, Any] = found.get("content", found)
    return inner


def told(refusal: Refusal, dialect: Dialect = "wacraft", buy_url: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(refusal_body(refusal, dialect, "id-1", NOW, buy_url)))
    return found


def spent(shop: Shop, cost: int, *allowances: Any) -> Refusal:
    """A refusal where every allowance has been used up before."""
    for allowance in allowances:
        shop.paid(cost, allowance)
    return shop.refused(cost, *allowances)


TEAM = default_of(plan(per(5, MINUTE), slug="team"), WORKSPACE)
FREE = default_of(plan(per(5), slug="free"))


def test_each_dialect_has_its_media_type() -> None:
    assert [content_type(dialect) for dialect in DIALECTS] == [b"application/json", b"application/problem+json"]


def test_wacrafts_shape_has_four_members() -> None:
    body = problem_body(Unauthorized("The credential has expired."), "wacraft", "id-1")
    assert body == {
        "context": "gateway",
        "description": "The credential has expired.",
        "message": "Unauthorized",
        "content": {"code": "unauthorized", "request_id": "id-1"},
    }


def test_problem_details_have_the_members_of_rfc_9457() -> None:
    body = problem_body(Unauthorized("The credential has expired."), "problem", "id-1")
    assert body == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The credential has expired.",
        "code": "unauthorized",
        "request_id": "id-1",
    }


def test_a_store_that_is_down_is_another_answer_than_an_empty_budget() -> None:
    body = problem_body(StoreUnavailable("Budgets cannot be checked."), "problem", "id-1")
    assert body["type"] == "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
    assert (body["status"], body["code"]) == (503, "store_unavailable")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_problems_own_details_reach_programs(dialect: Dialect) -> None:
    body = details(problem_body(Problem("No.", content={"header": "X-A"}), dialect, "id-1"))
    assert (body["code"], body["request_id"], body["header"]) == ("internal", "id-1", "X-A")


def test_details_never_overwrite_what_the_shape_says() -> None:
    problem = Problem("No.", content={"status": 200, "type": "x", "title": "x", "detail": "x", "code": "x"})
    body = problem_body(problem, "problem", "id-1")
    assert (body["type"], body["status"], body["title"], body["detail"], body["code"]) == (
        "about:blank",
        500,
        "Internal error",
        "No.",
        "internal",
    )


def test_a_refusal_is_wacrafts_sentence_with_our_details_in_content() -> None:
    body = told(spent(Shop(), 5, TEAM, FREE))
    sentence = "Throughput limit exceeded: 5 weighted requests per 60s"
    assert set(body) == {"context", "description", "message", "content"}
    assert (body["context"], body["description"], body["message"]) == ("billing", sentence, sentence)
    assert body["content"]["detail"] == (
        "This request costs 5 throughput; the workspace and user budget has less left. "
        f"The workspace budget can pay it in {MINUTE_LEFT} s."
    )


def test_a_refusal_is_quota_exceeded_with_the_violated_policies() -> None:
    body = told(spent(Shop(), 5, TEAM, FREE), "problem")
    assert body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (body["title"], body["status"]) == ("Quota exceeded", 429)
    assert body["detail"].endswith(f"can pay it in {MINUTE_LEFT} s.")
    assert body["violated-policies"] == ["workspace.team", "user.free"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_refusal_names_every_budget_that_was_asked_and_when_each_refills(dialect: Dialect) -> None:
    content = details(told(spent(Shop(), 5, TEAM, FREE), dialect))
    assert (content["code"], content["request_id"], content["cost"]) == ("wait", "id-1", {"throughput": 5})
    assert content["retry_after"] == MINUTE_LEFT
    assert content["budgets"] == [
        {
            "scope": "workspace",
            "id": "w1",
            "fallback": False,
            "retry_after": MINUTE_LEFT,
            "limits": [
                {
                    "plan": "team",
                    "meter": "throughput",
                    "limit": 5,
                    "window_seconds": 60,
                    "remaining": 0,
                    "reset": NOW // SECOND + MINUTE_LEFT,
                }
            ],
        },
        {
            "scope": "user",
            "id": "u1",
            "fallback": False,
            "retry_after": HOUR_LEFT,
            "limits": [
                {
                    "plan": "free",
                    "meter": "throughput",
                    "limit": 5,
                    "window_seconds": 3_600,
                    "remaining": 0,
                    "reset": NOW // SECOND + HOUR_LEFT,
                }
            ],
        },
    ]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_where_waiting_never_helps_the_answer_is_to_buy(dialect: Dialect) -> None:
    body = told(Shop().refused(6, TEAM, FREE), dialect, "https://shop.example/plans")
    content = details(body)
    assert content["code"] == "buy"
    assert content["buy_url"] == "https://shop.example/plans"
    assert "retry_after" not in content
    assert [budget["retry_after"] for budget in content["budgets"]] == [None, None]
    assert content["detail"] == (
        "This request costs 6 throughput; the workspace and user budget can never pay that, "
        "however long you wait. Buy more."
    )


def test_where_to_buy_is_said_beside_when_to_come_back() -> None:
    content = told(spent(Shop(), 5, FREE), buy_url="/billing")["content"]
    assert (content["code"], content["retry_after"], content["buy_url"]) == ("wait", HOUR_LEFT, "/billing")
    assert "buy_url" not in told(spent(Shop(), 5, FREE))["content"]


def test_who_has_no_budget_at_all_is_told_to_buy_a_plan() -> None:
    body = told(Shop().refused(5))
    assert body["message"] == "Throughput limit exceeded: no budget"
    assert (body["content"]["code"], body["content"]["budgets"]) == ("buy", [])
    assert body["content"]["detail"] == (
        "This request costs 5 throughput and there is no budget to take it from. Buy a plan."
    )
    assert told(Shop().refused(5), "problem")["violated-policies"] == []


def test_a_budget_that_starts_later_is_worth_waiting_for() -> None:
    coming = allowance_of(subscription("s", plan(per(5), slug="later"), starts_us=NOW + DAY))
    body = told(Shop().refused(5, coming))
    assert body["message"] == "Throughput limit exceeded: no budget"
    assert (body["content"]["code"], body["content"]["retry_after"]) == ("wait", 86_400)
    assert body["content"]["budgets"][0]["limits"] == []


def test_a_pack_never_resets() -> None:
    pack = allowance_of(subscription("s", plan(per(5, 0), slug="pack", pack=True)))
    limit = told(spent(Shop(), 5, pack))["content"]["budgets"][0]["limits"][0]
    assert (limit["window_seconds"], limit["reset"], limit["remaining"]) == (0, None, 0)


def test_the_fallback_budget_is_called_the_users() -> None:
    spare = fallback_allowance(USER, plan(per(5, MINUTE)), NOW)
    content = told(spent(Shop(), 5, FREE, spare))["content"]
    assert [(budget["scope"], budget["fallback"]) for budget in content["budgets"]] == [("user", False), ("user", True)]
    assert content["detail"].startswith("This request costs 5 throughput; the user budget has less left. The user")


def test_only_limits_that_have_less_than_the_cost_are_violated() -> None:
    shop = Shop()
    several = default_of(plan(per(9, SECOND), per(8, MINUTE), per(1_000, DAY), per(1, meter="tokens"), slug="pro"))
    shop.paid({"throughput": 5, "tokens": 1}, several)
    assert told(shop.refused(5, several), "problem")["violated-policies"] == ["user.pro", "user.pro.2"]
    assert told(shop.refused(4, several), "problem")["violated-policies"] == ["user.pro.2"]
    assert told(shop.refused({"tokens": 1}, several), "problem")["violated-policies"] == ["user.pro.4"]


def test_a_meter_without_any_budget_violates_no_policy_and_is_named() -> None:
    body = told(Shop().refused({"images": 2}, FREE), "problem")
    assert body["violated-policies"] == []
    assert body["detail"].startswith("This request costs 2 images; ")


def test_several_meters_are_all_named() -> None:
    both = default_of(plan(per(5, MINUTE, Refill.CONTINUOUS), per(9, meter="tokens")))
    body = told(Shop().refused({"throughput": 6, "tokens": 3}, both), "problem")
    assert body["cost"] == {"throughput": 6, "tokens": 3}
    assert body["detail"].startswith("This request costs 6 throughput, 3 tokens; ")
