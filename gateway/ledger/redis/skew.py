"""How far Redis's clock is ahead of ours, learned from its answers: all gateways count in Redis's time."""

_FRESH_US = 10_000_000


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
        if self._fixed or trip_us < 0 or not (old or self._trip_us is None or trip_us <= self._trip_us):
            return
        self.us = server_us - (sent_us + heard_us) // 2
        self._trip_us, self._taken_us = trip_us, heard_us

    def of_server(self, now_us: int) -> int:
        """Our instant by the server's clock."""
        return now_us + self.us
