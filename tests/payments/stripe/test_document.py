"""The judge is no rubber stamp."""

from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.demo.stripe import objects
from tests.payments.stripe.document import faults_of_object, faults_of_request
from tests.payments.stripe.judge import judged

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


async def test_a_running_fake_is_judged_by_what_it_answers_and_tells_also_after_much_that_was_sound() -> None:
    with pytest.raises(AssertionError, match=r"customers.*\n?.*customer\.created"):
        async with judged(automatic=False) as fake, ClientSession() as browser:
            headers = {"Authorization": "Bearer sk_test_1"}
            for email in ("a@b.test", "c@d.test"):
                async with browser.post(f"{fake.url}/v1/customers", data={"email": email}, headers=headers) as answer:
                    assert answer.status == 200
            for customer in fake.books.kept["customers"].values():
                customer["livemode"] = "no"
            fake.books.tell("customer.created", customer)
            async with browser.get(f"{fake.url}/v1/customers", headers=headers) as answer:
                assert answer.status == 200


async def test_a_request_that_stripe_would_refuse_is_told_though_the_fake_took_it() -> None:
    with pytest.raises(AssertionError, match="nickname"):
        async with judged(automatic=False) as fake, ClientSession() as browser:
            headers, said = {"Authorization": "Bearer sk_test_1"}, {"nickname": "Al"}
            async with browser.post(f"{fake.url}/v1/customers", data=said, headers=headers) as answer:
                assert answer.status == 200
