"""What every ledger does: charge, refund, hold, settle. Each call is one atomic act."""

from typing import Protocol

from gateway.core.allowance import Allowance
from gateway.core.cascade import Bill, Charge, Costs, Posting, Refusal, Standing
from gateway.core.refund import Settlement


class Ledger(Protocol):
    """Keeps buckets. Raises ``StoreUnavailable`` when it cannot know; it never guesses."""

    async def charge(self, bill: Bill, now_us: int) -> Charge | Refusal:
        """Debit the whole bill from the first allowance that can pay it, or change nothing."""
        ...

    def charge_now(self, bill: Bill, now_us: int) -> Charge | Refusal | None:
        """The same without waiting; ``None`` if the answer needs I/O (use ``charge``)."""
        ...

    async def drain(self, bill: Bill, now_us: int) -> Charge:
        """Debit what was already delivered: the first who can pay, or the first asked down to zero.

        The rest is overrun.
        """
        ...

    async def refund(self, charge: Charge, costs: Costs, now_us: int) -> tuple[Posting, ...]:
        """Give ``costs`` (at most what was charged) back to the generations that paid, in reverse burn order."""
        ...

    async def hold(self, bill: Bill, now_us: int, *, deadline_us: int, owner: str) -> Charge | Refusal:
        """Charge now, size to be made final by ``settle`` or ``release``; given back by itself after the deadline."""
        ...

    async def settle(self, charge: Charge, costs: Costs, now_us: int) -> Settlement:
        """Make a hold final at ``costs``: the difference is given back or taken (down to zero, then overrun).

        Once only: for a hold that is already final, or past its deadline and given back, nothing happens.
        """
        ...

    async def release(self, charge: Charge, now_us: int) -> tuple[Posting, ...]:
        """Settle a hold at nothing."""
        ...

    async def standings(self, allowance: Allowance, now_us: int) -> tuple[Standing, ...]:
        """How each limit of an allowance stands, purse by purse."""
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...
