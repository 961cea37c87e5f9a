"""The judge is no rubber stamp."""

from typing import Any

import pytest

from gateway.demo.stripe import objects
from tests.payments.stripe.document import faults_of_object, faults_of_request

GOOD: dict[str, Any] = {
    "mode": "payment",
    "line_items": [{"price": "price_1", "quantity": "1"}],
    "success_url": "https://shop.test/",
}


@pytest.mark.parametrize(
    ("path", "form", "fault"),
    [
        ("checkout/sessions", {**GOOD, "mode": "rent"}, "not one of"),
        ("checkout/sessions", {**GOOD, "subcription_data": {}}, "subcription_data"),
        ("checkout/sessions", {**GOOD, "line_items": [{"price": "price_1", "qty": "1"}]}, "qty"),
        ("checkout/sessions", {**GOOD, "expires_at": "soon"}, "'soon'"),
        ("checkout/sessoins", GOOD, "no such route"),
    ],
)
def test_a_wrong_request_is_told_apart(path: str, form: dict[str, Any], fault: str) -> None:
    assert faults_of_request("POST", "checkout/sessions", GOOD) == []
    assert any(fault in each for each in faults_of_request("POST", path, form))


def test_an_object_without_a_required_field_is_told_apart() -> None:
    good = objects.customer("cus_1", 1, {})
    assert faults_of_object(good) == []
    assert faults_of_object({**good, "livemode": "no"})
    del good["created"]
    assert faults_of_object(good)
