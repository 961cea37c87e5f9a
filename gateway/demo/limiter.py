"""The limiter before the login route: fixed windows per address and e-mail, as fiber's limiter counts them."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from gateway.demo.exchange import answer

_MAX_KEYS = 10_000


@dataclass(slots=True)
class _Window:
    count: int
    ends_us: int


class Limiter:
    """At most ``limit`` hits per key in ``window_s`` seconds, counted from the key's first hit."""

    def __init__(self, limit: int, window_s: int, clock: Callable[[], int]) -> None:
        self._limit, self._window_s, self._clock = limit, window_s, clock
        self._windows: dict[str, _Window] = {}

    def hit(self, key: str) -> dict[str, str] | None:
        """Count a hit: the headers for the answer (Reset is in *seconds remaining*), or ``None``: over the limit."""
        now_us = self._clock()
        if len(self._windows) >= _MAX_KEYS:
            self._windows = {k: w for k, w in self._windows.items() if w.ends_us > now_us}
        window = self._windows.get(key)
        if window is None or window.ends_us <= now_us:
            window = self._windows[key] = _Window(0, now_us + self._window_s * 1_000_000)
        window.count += 1
        if window.count > self._limit:
            return None
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(self._limit - window.count),
            "X-RateLimit-Reset": str(-((now_us - window.ends_us) // 1_000_000)),
        }

    def refusal(self, error: str) -> web.Response:
        """The 429 of the auth routes: no ``context``, no X-RateLimit headers.

        Retry-After is the whole window however little of it is left, as coded there.
        """
        response = answer({"error": error, "message": "Please try again later"}, 429)
        response.headers["Retry-After"] = str(self._window_s)
        return response
