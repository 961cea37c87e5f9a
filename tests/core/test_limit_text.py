"""Limit keys as text: both ways lose nothing, and what has no name is refused."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from gateway.core import limit_text
from gateway.core.bucket import Anchor, Calendar, Epoch, LimitKey, Refill, Since
from gateway.core.limit_text import KeyTexts, key_from, key_text, zone_text


class Nameless(tzinfo):
    def utcoffset(self, dt: datetime | None) -> timedelta:  # noqa: ARG002
        return timedelta(hours=1)

    def dst(self, dt: datetime | None) -> timedelta | None:  # noqa: ARG002
        return None

    def tzname(self, dt: datetime | None) -> str | None:  # noqa: ARG002
        return None


@pytest.mark.parametrize(
    "anchor",
    [
        Epoch(),
        Since(1_700_000_000_000_001),
        Calendar("day", UTC),
        Calendar("month", ZoneInfo("Europe/Berlin")),
        Calendar("month", timezone(timedelta(hours=-3))),
    ],
)
def test_a_key_comes_back_as_it_was(anchor: Anchor) -> None:
    key = LimitKey("throughput", 3_600_000_000, Refill.INTERVAL, anchor, "a|b %")
    assert key_from(key_text(key)) == key


@pytest.mark.parametrize("zone", [Nameless(), timezone(timedelta(microseconds=1))])
def test_a_zone_without_a_name_is_refused(zone: tzinfo) -> None:
    with pytest.raises(ValueError, match="no name to store it by"):
        zone_text(zone)


def test_texts_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit_text, "_CACHED", 2)
    texts = KeyTexts()
    keys = [LimitKey("throughput", window, Refill.INTERVAL, Epoch()) for window in (1, 2, 3)]
    assert [texts(key) for key in keys] == [key_text(key) for key in keys]
    assert len(texts._known) == 1, "full, so it began anew"
    assert texts(keys[2]) is texts(keys[2])
