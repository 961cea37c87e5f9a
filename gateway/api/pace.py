"""How fast our own routes may be asked: so many calls in any minute for each caller. They cost no units."""

from gateway.core.problems import TooManyRequests
from gateway.identity.cache import Kept

_MINUTE_US = 60_000_000
_REMEMBERED = 65_536


class Pace:
    """Counts calls. What a caller has not used comes back evenly, up to a minute's worth."""

    def __init__(self, entries: int = _REMEMBERED) -> None:
        self._free_at_us: Kept[tuple[str, str], int] = Kept(entries)

    def take(self, who: tuple[str, str], per_minute: int, now_us: int) -> None:
        """Count one call of ``who``. Raises ``TooManyRequests`` with the time to wait; such a call is not counted.

        The arithmetic is GCRA's: one instant per caller, at which all it has asked for will have been earned.
        """
        cost_us = _MINUTE_US // per_minute
        earned_us = max(now_us, self._free_at_us.get(who) or 0)
        if earned_us > now_us + _MINUTE_US:  # a clock that went back: nobody is shut out until it has caught up
            earned_us = now_us + _MINUTE_US
            self._free_at_us.put(who, earned_us)
        ready_us = earned_us + cost_us - _MINUTE_US
        if ready_us > now_us:
            wait_s = -((now_us - ready_us) // 1_000_000)
            raise TooManyRequests(
                f"That is more than {per_minute} calls in a minute. Try again in {wait_s} s.",
                content={"retry_after": wait_s},
                headers=((b"Retry-After", b"%d" % wait_s),),
            )
        self._free_at_us.put(who, earned_us + cost_us)
