import pytest

from gateway.core.money import EXPONENTS, exponent, written


def test_every_currency_has_the_digits_of_iso_4217() -> None:
    assert [exponent(code) for code in ("usd", "jpy", "kwd", "huf", "isk")] == [2, 0, 3, 2, 0]
    assert all(len(code) == 3 and code == code.lower() for code in EXPONENTS)
    with pytest.raises(ValueError, match="'dollars' is no currency"):
        exponent("dollars")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1999, "usd", "19.99 USD"), (5, "usd", "0.05 USD"), (1999, "jpy", "1999 JPY"), (-5, "kwd", "-0.005 KWD")],
)
def test_money_is_written_exactly(amount: int, currency: str, text: str) -> None:
    assert written(amount, currency) == text
