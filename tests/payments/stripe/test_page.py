"""``docs/stripe.md`` says what the code does."""

import re
from pathlib import Path

from gateway.payments.stripe.client import VERSION
from gateway.payments.stripe.signals import EVENTS

PAGE = (Path(__file__).parents[3] / "docs" / "stripe.md").read_text()


def test_it_lists_the_events_and_the_version() -> None:
    (listed,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert listed.split() == list(EVENTS)
    assert f"`{VERSION}`" in PAGE
