"""Whether an event is Stripe's."""

from typing import Any

import orjson
import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.stripe.delivery import signature
from gateway.payments.port import BadSignature, Foreign
from gateway.payments.stripe.client import Access
from gateway.payments.stripe.provider import Config, StripeProvider
from gateway.payments.stripe.signals import TOLERANCE_US, signal_of, verify
from tests.payments.stripe.world import Notes

NOW_S = 1_800_000_000
NOW = NOW_S * 1_000_000
BODY = b'{"id": "evt_1"}'


def signed(body: bytes = BODY, secret: str = "new", at: int = NOW_S) -> str:  # noqa: S107
    return signature(body, secret, at)


def test_any_of_the_secrets_will_do_while_they_are_rolled() -> None:
    verify(signed(secret="old"), BODY, ("new", "old"), NOW)
    both = f"{signed(secret='other')},{signed().split(',')[1]}"
    verify(both, BODY, ("new",), NOW)
    library = stripe.WebhookSignature.generate_signature_header(BODY.decode(), "new", NOW_S)
    verify(library, BODY, ("new",), NOW)


@pytest.mark.parametrize("skew", [-TOLERANCE_US - 1, TOLERANCE_US + 1])
def test_what_is_too_old_or_of_the_future_is_refused(skew: int) -> None:
    verify(signed(), BODY, ("new",), NOW + skew // 2)
    with pytest.raises(BadSignature):
        verify(signed(), BODY, ("new",), NOW + skew)


@pytest.mark.parametrize(
    "header", ["", "t=1", "v1=aa", "t=x,v1=aa", "t=1,t=2,v1=aa", "t=1," + "v1=aa," * 20, "t=²,v1=aa"]
)
def test_a_header_that_stripe_does_not_write_is_refused(header: str) -> None:
    with pytest.raises(BadSignature):
        verify(header, BODY, ("new",), NOW)


def test_a_changed_body_is_refused_and_so_is_everything_without_a_secret() -> None:
    for secrets, body in (((), BODY), (("new",), BODY + b" ")):
        with pytest.raises(BadSignature):
            verify(signed(), body, secrets, NOW)


@given(st.binary(max_size=200), st.text(max_size=80))
def test_nothing_that_comes_breaks_it(body: bytes, header: str) -> None:
    with pytest.raises(BadSignature):
        verify(header, body, ("new",), NOW)


def event(**more: Any) -> bytes:
    about = {"object": "invoice", "id": "in_1"}
    said = {"id": "evt_1", "type": "invoice.paid", "created": NOW_S, "livemode": False, "data": {"object": about}}
    return orjson.dumps({**said, **more})


def test_an_event_names_what_it_is_about() -> None:
    signal = signal_of(event())
    assert (signal.key, signal.subject, signal.id, signal.test) == ("evt_1", "payment", "in_1", True)
    assert signal_of(event(type="invoice.upcoming")).subject == "other", "not one that we asked for"


def test_what_we_make_ourselves_is_no_news_and_what_others_make_is() -> None:
    def subject(kind: str, **about: Any) -> str:
        return signal_of(event(type=kind, data={"object": about})).subject

    ours = {"app": "weighbridge", "plan_id": "p1"}
    assert subject("product.created", object="product", id="gw_p1", metadata=ours) == "other"
    price = {"object": "price", "id": "price_1", "metadata": ours}
    assert subject("price.created", **price, lookup_key="gw_p1_usd_once") == "other"
    assert subject("price.updated", **price, lookup_key="gw_p1_usd_once") == "catalog", "somebody may have edited it"
    assert subject("price.created", **price, lookup_key=None) == "catalog", "a copy"
    assert subject("price.created", object="price", id="price_2", metadata={}, lookup_key="gw_p1_usd_once") == "catalog"
    assert subject("product.created", object="product", id="prod_1", metadata={}) == "catalog"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":1}', event(data={}), event(created="x")])
def test_what_is_no_event_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="no event"):
        signal_of(body)


async def test_events_of_the_other_mode_or_of_another_account_are_somebody_elses() -> None:
    access = Access(api_key="sk_test_0", account="acct_1")
    provider = StripeProvider(Config(access=access, secrets=("new",)), Notes())

    def heard(body: bytes) -> str:
        return provider.read_signal({"stripe-signature": signed(body)}, body, NOW).key

    try:
        assert heard(event()) == heard(event(account="acct_1")) == "evt_1"
        for body in (event(livemode=True), event(account="acct_2")):
            with pytest.raises(Foreign):
                heard(body)
    finally:
        await provider.close()
