"""Limit keys as text, and back; both ways lose nothing."""

from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Literal, cast
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from gateway.core.bucket import Anchor, Calendar, Epoch, LimitKey, Refill, Since

_CACHED = 200_000


def zone_text(zone: tzinfo) -> str:
    """A time zone by name, or by its fixed offset in seconds (``+3600``). Raises ``ValueError`` for any other."""
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    if isinstance(zone, timezone):
        offset = zone.utcoffset(None)
        if not offset.microseconds:
            return f"{offset // timedelta(seconds=1):+d}"
    raise ValueError(f"the time zone {zone!r} has no name to store it by")


def zone_from(text: str) -> tzinfo:
    """The inverse of ``zone_text``."""
    if text[0] in "+-":
        seconds = int(text)
        return timezone(timedelta(seconds=seconds)) if seconds else UTC
    return ZoneInfo(text)


def _anchor_text(anchor: Anchor) -> str:
    if isinstance(anchor, Epoch):
        return "epoch"
    if isinstance(anchor, Since):
        return f"since:{anchor.at_us}"
    return f"{anchor.unit}:{quote(zone_text(anchor.zone), safe='/+')}"


def _anchor_from(text: str) -> Anchor:
    if text == "epoch":
        return Epoch()
    word, _, rest = text.partition(":")
    if word == "since":
        return Since(int(rest))
    return Calendar(cast("Literal['day', 'month']", word), zone_from(unquote(rest)))


def key_text(key: LimitKey) -> str:
    """A limit key in one line: ``throughput|3600000000|interval|epoch|``."""
    meter, purse = (quote(text, safe=" :/,;=+", errors="surrogatepass") for text in (key.meter, key.purse))
    return f"{meter}|{key.window_us}|{key.refill.value}|{_anchor_text(key.anchor)}|{purse}"


@lru_cache(maxsize=_CACHED)
def key_from(text: str) -> LimitKey:
    """The inverse of ``key_text``; raises ``ValueError`` on anything else."""
    meter, window, refill, anchor, purse = text.split("|")
    meter, purse = (unquote(part, errors="surrogatepass") for part in (meter, purse))
    return LimitKey(meter, int(window), Refill(refill), _anchor_from(anchor), purse)


class KeyTexts:
    """``key_text``, remembered by a key's identity: keys live as long as their catalog, and hashing them is dear."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[LimitKey, str]] = {}

    def __call__(self, key: LimitKey) -> str:
        """The text of ``key``."""
        known = self._known.get(id(key))
        if known is not None:
            return known[1]
        if len(self._known) >= _CACHED:
            self._known.clear()
        text = key_text(key)
        self._known[id(key)] = (key, text)  # holding the key keeps its id its own
        return text
