"""How far Redis's clock is ahead of ours, learned from its answers: all gateways count in Redis's time."""

_FRESH_US = 10_000_000
_AHEAD_US = 1_000_000
"""What is further ahead of Redis's clock than this is not believed: far more than estimates are off."""


class Skew:
    """The difference of two clocks, taken from the fastest answer of the last seconds: off by half of it at most.

    ``fixed``: both are said to agree.
    """

    def __init__(self, *, fixed: bool = False) -> None:
        self.us = 0
        self._fixed = fixed
        self._trip_us: int | None = None
        self._taken_us = 0

    def heard(self, sent_us: int, heard_us: int, server_us: int) -> None:
        """An answer: when it was asked for and came, and what the server's clock said in between."""
        trip_us = heard_us - sent_us
        old = abs(heard_us - self._taken_us) > _FRESH_US
        possible = server_us - heard_us <= self.us <= server_us - sent_us  # else a clock was set meanwhile
        worse = possible and not old and self._trip_us is not None and trip_us > self._trip_us
        if self._fixed or trip_us < 0 or worse:
            return
        self.us = server_us - (sent_us + heard_us) // 2
        self._trip_us, self._taken_us = trip_us, heard_us

    @property
    def ahead(self) -> str:
        """How far ahead of Redis's clock (us) a script lets an instant be; ``-``: it takes instants as they come."""
        return "-" if self._fixed else str(_AHEAD_US)

    def of_server(self, now_us: int) -> int:
        """Our instant by the server's clock."""
        return now_us + self.us

    def past(self, now_us: int, present_us: int) -> int:
        """An instant of ours by the server's clock, and no later than the present: our clock may have been set back."""
        return self.of_server(now_us if self._fixed else min(now_us, present_us))
