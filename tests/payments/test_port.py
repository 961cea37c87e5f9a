"""Above its package nobody speaks a provider's words: a second one must not have to learn the first one's."""

import re
from pathlib import Path

import pytest

import gateway

ROOT = Path(gateway.__file__).parent
PLACES = ("core", "billing", "store", "jobs", "metering", "payments/port.py")
WORDS = re.compile(
    r"stripe|checkout.?session|payment.?intent|lookup.?key|livemode|\b(cs|pi|sub|evt|cus|acct|whsec)_\w|waffo",
    re.IGNORECASE,
)


@pytest.mark.parametrize("place", PLACES)
def test_nobody_speaks_a_providers_words(place: str) -> None:
    at = ROOT / place
    files = [at] if at.is_file() else sorted(at.rglob("*.py"))
    assert files
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in files
        if "migrations" not in path.parts
        for match in WORDS.finditer(path.read_text())
    ]
    assert found == []
