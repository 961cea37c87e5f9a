"""What an invoice of Stripe's says of our money, whatever else is on it and however it was paid."""

from typing import Any

import pytest

from gateway.core.sale import Dispute, PaymentState, Receipt
from gateway.payments.stripe import convert

AT, DAY = 1_800_000_000, 86_400
US = 1_000_000


def line(amount: int, start: int, end: int, **parent: Any) -> dict[str, Any]:
    return {"amount": amount, "description": "Pro", "period": {"start": start, "end": end}, **parent}


def of_item() -> dict[str, Any]:
    return {"parent": {"type": "subscription_item_details", "subscription_item_details": {"proration": False}}}


def beside(*, credit: bool | None = None) -> dict[str, Any]:
    """A line for an invoice item: something else, or a proration."""
    credits_ = {"invoice": "in_0", "invoice_line_items": ["il_0"]} if credit else None
    details = {"proration": credit is not None, "proration_details": {"credited_items": credits_}}
    return {"parent": {"type": "invoice_item_details", "invoice_item_details": details}}


def charge(name: str, intent: str | None, **more: Any) -> dict[str, Any]:
    said = {"id": name, "payment_intent": intent, "paid": True, "amount_refunded": 0, "currency": "usd", "created": AT}
    return {**said, "receipt_url": f"https://stripe.test/{name}", "payment_method_details": {"type": "card"}, **more}


def invoice(lines: list[dict[str, Any]], payments: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": "in_1",
        "status": "paid",
        "currency": "usd",
        "amount_paid": 900,
        "amount_due": 900,
        "attempted": True,
        "created": AT,
        "period_start": AT,
        "period_end": AT,
        "starting_balance": 0,
        "status_transitions": {"paid_at": AT},
        "parent": {"subscription_details": {"subscription": "sub_1"}},
        "lines": {"data": lines},
        "payments": {"data": [{"payment": each} for each in payments or []]},
    }
    return {**said, **more}


def read(said: dict[str, Any], *charges: dict[str, Any], disputes: list[dict[str, Any]] | None = None) -> Receipt:
    found = convert.agreed(said, charges, disputes or [])
    assert found is not None
    return found


MONTH = line(900, AT, AT + 30 * DAY, **of_item())


@pytest.mark.parametrize(
    "given_up",
    [
        line(-3900, AT, AT + 365 * DAY, **beside(credit=True)),
        line(0, AT, AT + 365 * DAY, **beside(credit=True)),
        line(-3900, AT, AT + 365 * DAY),
    ],
    ids=["a credit", "a credit of a plan that was free", "a credit without a parent"],
)
def test_what_is_given_back_is_no_period_that_was_bought(given_up: dict[str, Any]) -> None:
    seen = read(invoice([given_up, MONTH]))
    assert (seen.period_start_us, seen.period_end_us) == (AT * US, (AT + 30 * DAY) * US)
    assert seen.credited == (given_up["amount"] < 0)


def test_something_sold_beside_the_subscription_is_a_payment_and_no_period() -> None:
    hours = line(5000, AT, AT + 400 * DAY, **beside())
    seen = read(invoice([hours]))
    assert (seen.state, seen.amount, seen.period_end_us) == (PaymentState.PAID, 900, None)
    assert read(invoice([hours, MONTH])).period_end_us == (AT + 30 * DAY) * US


def test_a_change_of_plan_is_described_as_what_it_buys() -> None:
    given_up = {**line(-3900, AT, AT + 30 * DAY, **beside(credit=True)), "description": "Rest of Pro"}
    assert read(invoice([given_up, {**MONTH, "description": "Max"}])).description == "Max"
    assert read(invoice([line(5000, AT, AT + DAY, **beside())])).description == "Pro", "or as whatever it is for"


def test_money_to_the_customers_credit_was_paid_before() -> None:
    assert read(invoice([MONTH], starting_balance=-100)).credited
    assert not read(invoice([MONTH], starting_balance=100)).credited


def test_a_change_names_the_invoices_of_which_it_gives_a_part_back() -> None:
    rest, month = line(-3900, AT + DAY, AT + 365 * DAY, **beside(credit=True)), line(900, AT + DAY, AT + 31 * DAY)
    assert read(invoice([rest, month])).changes == ("in_0",)
    assert read(invoice([rest, rest, month])).changes == ("in_0",)
    assert read(invoice([line(-3900, AT + DAY, AT + 365 * DAY), month])).changes == ("",), "it does not say of which"
    assert read(invoice([month])).changes == ()


def test_what_was_left_of_an_earlier_period_is_a_discount_unless_it_pays_the_whole() -> None:
    past = line(-100, AT - 5 * DAY, AT, **beside(credit=True))
    assert read(invoice([past, MONTH])).changes == ()
    assert read(invoice([past, MONTH], amount_paid=0)).changes == ("in_0",)
    gift = line(-100, AT, AT + 30 * DAY, **beside())
    assert read(invoice([gift, MONTH])).changes == (), "a gift of the house, not what is left of anything"
    assert read(invoice([past])).changes == (), "it buys nothing"


def test_a_payment_past_stripe_meets_no_charge_of_somebody_else() -> None:
    past = {"type": "payment_record", "payment_record": "pr_1", "payment_intent": None}
    other = charge("ch_9", None, amount_refunded=900)
    seen = read(invoice([MONTH], [past]), other)
    assert (seen.refunded, seen.receipt_url, seen.kept) == (0, None, True)


def test_all_charges_of_an_invoice_count_together() -> None:
    by: list[dict[str, Any]] = [
        {"type": "payment_intent", "payment_intent": "pi_1"},
        {"type": "charge", "charge": {"id": "ch_2"}},
    ]
    first, second = charge("ch_1", "pi_1", amount_refunded=400), charge("ch_2", None, created=AT + 5)
    failed = charge("ch_0", "pi_1", paid=False, amount_refunded=0)
    seen = read(invoice([MONTH], by), failed, first, second)
    assert (seen.refunded, seen.kept, seen.receipt_url) == (400, True, "https://stripe.test/ch_2")
    second["amount_refunded"] = 500
    assert not read(invoice([MONTH], by), failed, first, second).kept
    lost = [{"charge": "ch_2", "status": "lost"}, {"charge": "ch_1", "status": "won"}]
    assert read(invoice([MONTH], by), first, second, disputes=lost).dispute is Dispute.LOST


def test_a_draft_is_owed_by_nobody() -> None:
    assert convert.agreed(invoice([MONTH], status="draft"), [], []) is None


@pytest.mark.parametrize(("product", "plan"), [("gw_p1", "p1"), ("gw_", None), ("prod_of_somebody_else", None)])
def test_a_payment_is_for_the_plan_whose_product_its_line_names(product: str, plan: str | None) -> None:
    pricing = {"type": "price_details", "price_details": {"price": "price_1", "product": product}}
    given_up = line(-100, AT, AT + 40 * DAY, **beside(credit=True), pricing={"price_details": {"product": "gw_p0"}})
    assert read(invoice([given_up, {**MONTH, "pricing": pricing}])).plan_id == plan
    assert read(invoice([MONTH])).plan_id is None


def subscription(**more: Any) -> dict[str, Any]:
    recurring = {"interval": "month", "interval_count": 3}
    price = {"unit_amount": 900, "currency": "usd", "recurring": recurring, "metadata": {"plan_id": "p1"}}
    item = {"price": price, "current_period_start": AT, "current_period_end": AT + 90 * DAY}
    said = {"id": "sub_1", "status": "active", "items": {"data": [item]}, "cancel_at_period_end": False}
    return {**said, "metadata": {}, **more}


def schedule(**more: Any) -> dict[str, Any]:
    phases = [{"start_date": AT}, {"start_date": AT + 90 * DAY}]
    said = {"status": "active", "phases": phases, "current_phase": {"start_date": AT, "end_date": AT + 90 * DAY}}
    said["end_behavior"] = "release"
    return {**said, "metadata": {"app": "weighbridge", "plan_id": "p2"}, **more}


def test_what_a_subscription_costs_is_that_of_its_price() -> None:
    seen = convert.agreement(subscription(), "weighbridge")
    assert (seen.amount, seen.days, seen.next_plan_id) == (900, 90, None)
    tiered = subscription()
    tiered["items"]["data"][0]["price"] = {"unit_amount": None, "currency": "usd"}
    seen = convert.agreement(tiered, "weighbridge")
    assert (seen.amount, seen.days) == (None, 0)


@pytest.mark.parametrize(
    ("said", "plan"),
    [
        (schedule(), "p2"),
        (schedule(status="released"), None),
        (schedule(current_phase={"start_date": AT + 90 * DAY, "end_date": AT + 180 * DAY}), None),
        (schedule(current_phase=None), None),
        (schedule(phases=[{"start_date": AT}]), None),
        (schedule(metadata={"app": "another", "plan_id": "p2"}), None),
        ("sub_sched_1", None),
    ],
)
def test_the_next_plan_is_what_a_schedule_of_ours_waits_with(said: object, plan: str | None) -> None:
    assert convert.agreement(subscription(schedule=said), "weighbridge").next_plan_id == plan


@pytest.mark.parametrize(
    ("said", "theirs"),
    [
        (schedule(), False),
        (schedule(metadata={}), True),
        (schedule(metadata={}, phases=[{"start_date": AT}]), False),
        (schedule(metadata={}, phases=[{"start_date": AT}], end_behavior="cancel"), True),
        (schedule(metadata={"app": "another"}, phases=[{"start_date": AT}]), True),
        (schedule(metadata={"app": "another"}, status="released"), False),
        (None, False),
    ],
)
def test_what_somebody_else_has_scheduled_is_told_from_ours_made_half(said: object, *, theirs: bool) -> None:
    assert convert.agreement(subscription(schedule=said), "weighbridge").scheduled is theirs


@pytest.mark.parametrize(
    ("product", "plan"), [("gw_p2", "p2"), ({"id": "gw_p2"}, "p2"), ("prod_made_by_hand", "p1"), (None, "p1")]
)
def test_the_plan_of_a_subscription_is_that_of_its_product_whatever_its_price_was_edited_to_say(
    product: object, plan: str
) -> None:
    said = subscription()
    said["items"]["data"][0]["price"]["product"] = product
    assert convert.agreement(said, "weighbridge").plan_id == plan
