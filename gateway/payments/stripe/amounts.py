"""Money as Stripe writes it: mostly minor units of ISO 4217, and some exceptions that would cost a factor of 100."""

from gateway.core.money import exponent

_WHOLE = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
"""Stripe counts these whole."""
_HUNDREDTHS = frozenset({"isk", "ugx"})
"""Have no minor units, and are sent in hundredths all the same."""
_THOUSANDTHS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
"""Sent in thousandths, of which the last digit must be 0."""
_TEN = 10


def _stripe_exponent(currency: str) -> int:
    if currency in _WHOLE:
        return 0
    return 3 if currency in _THOUSANDTHS else 2


def to_stripe(amount: int, currency: str) -> int:
    """``amount`` minor units of ISO 4217 as Stripe wants them. Raises ``ValueError`` for one that it cannot charge."""
    ours, theirs = exponent(currency), _stripe_exponent(currency)
    if theirs >= ours:
        sent = amount * _factor(theirs - ours)
    else:
        sent, rest = divmod(amount, _factor(ours - theirs))
        if rest:
            raise ValueError(f"Stripe charges {currency} in whole units only")
    if currency in _THOUSANDTHS and sent % _TEN:
        raise ValueError(f"Stripe charges {currency} in steps of ten thousandths only")
    return sent


def from_stripe(amount: int, currency: str) -> int:
    """The inverse. What Stripe could not have charged is rounded down."""
    ours, theirs = exponent(currency), _stripe_exponent(currency)
    return amount * _factor(ours - theirs) if ours >= theirs else amount // _factor(theirs - ours)


def _factor(digits: int) -> int:
    return int(_TEN**digits)
