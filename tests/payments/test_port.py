"""Above its package nobody speaks a provider's words: a second one must not have to learn the first one's."""

import re
from pathlib import Path

import pytest

import gateway

ROOT = Path(gateway.__file__).parent
PLACES = ("core", "billing", "store", "jobs", "metering", "payments/port.py")
WORDS = re.compile(
    r"stripe|checkout.?session|payment.?intent|lookup.?key|livemode|prorat|\b(?:cs|pi|sub|evt|cus|acct|whsec)_\w|waffo",
    re.IGNORECASE,
)


WACRAFTS = {
    "api/payments.py": {"Stripe", "payment intent"},
    "api/subscription_models.py": {"stripe"},
    "api/subscriptions.py": {"stripe"},
}
"""Words that its client knows already, and where."""


@pytest.mark.parametrize("place", PLACES)
def test_nobody_speaks_a_providers_words(place: str) -> None:
    assert spoken(place) == {}


def test_the_api_speaks_those_that_wacrafts_client_knows_and_no_others() -> None:
    assert spoken("api") == WACRAFTS


def spoken(place: str) -> dict[str, set[str]]:
    at = ROOT / place
    files = [at] if at.is_file() else sorted(at.rglob("*.py"))
    assert files
    read = {path: WORDS.findall(path.read_text()) for path in files if "migrations" not in path.parts}
    return {str(path.relative_to(ROOT)): set(words) for path, words in read.items() if words}
