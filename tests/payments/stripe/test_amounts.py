import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.money import EXPONENTS
from gateway.payments.stripe.amounts import from_stripe, to_stripe


@pytest.mark.parametrize(
    ("amount", "currency", "sent"),
    [(1999, "usd", 1999), (500, "jpy", 500), (10, "ugx", 1000), (7, "isk", 700), (1990, "kwd", 1990), (500, "mga", 5)],
)
def test_each_currency_is_sent_as_stripe_counts_it(amount: int, currency: str, sent: int) -> None:
    assert to_stripe(amount, currency) == sent
    assert from_stripe(sent, currency) == amount


@pytest.mark.parametrize(("amount", "currency"), [(1995, "kwd"), (501, "mga")])
def test_what_stripe_cannot_charge_is_refused_and_not_rounded(amount: int, currency: str) -> None:
    with pytest.raises(ValueError, match=r"steps|whole"):
        to_stripe(amount, currency)


@given(st.integers(0, 10**12), st.sampled_from(sorted(EXPONENTS)))
def test_no_amount_changes_on_the_way_there_and_back(amount: int, currency: str) -> None:
    try:
        sent = to_stripe(amount, currency)
    except ValueError:
        return
    assert from_stripe(sent, currency) == amount
