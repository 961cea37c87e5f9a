"""What every ledger does: charge, refund, hold, settle. Each call is one atomic act."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Bill, Charge, Costs, Posting, Refusal, Shortfall, Standing
from gateway.core.problems import StoreUnavailable
from gateway.core.refund import Settlement
from gateway.core.scope import Scope
from gateway.core.till import Till

Page = Sequence[tuple[Scope, Mapping[LimitKey, Bucket]]]
Tell = Callable[[Charge | Refusal | StoreUnavailable], None]
"""Told how a charge that had to be asked for has ended: where ``charge`` raises, it is told what that raises."""


class Kept(Protocol):
    """What this gateway knows by itself: its journal, for a ledger that has lost its memory."""

    def pages(self) -> AsyncIterator[Page]:
        """The buckets that are not full, in pages."""
        ...

    def filled(self) -> str:
        """What ``fill`` was told last, also before a restart; empty: nothing."""
        ...

    def fill(self, epochs: str) -> None:
        """Remember that the journal was brought into these epochs of the ledger."""
        ...


class Late(NamedTuple):
    """How a late debit is made: ``debt`` units below zero at most, after ``doubt`` (see ``Ledger``) is cleared up."""

    debt: int = 0
    doubt: str = ""


class Ledger(Protocol):
    """Keeps buckets. Raises ``StoreUnavailable`` when it cannot know; it never guesses."""

    async def charge(self, bill: Bill, now_us: int) -> Charge | Refusal:
        """Debit the whole bill from the first allowance that can pay it, or change nothing."""
        ...

    def charge_now(self, bill: Bill, now_us: int) -> Charge | Refusal | None:
        """The same without waiting; ``None`` if the answer needs I/O (use ``charge``)."""
        ...

    def take(self, tills: Sequence[Till], cost: int, now_us: int) -> tuple[int, Bucket] | list[Shortfall] | None:
        """The most frequent debit, of buckets that are at hand: which of ``tills``, asked in order, has paid all of it.

        Or why each of them could not. ``None``: nothing happened; ask ``charge_now``.
        """
        ...

    def charge_soon(self, bill: Bill, now_us: int, tell: Tell) -> bool:
        """Where ``charge_now`` said ``None``: begin ``charge``, and ``tell`` its outcome from the event loop.

        Once, whatever happens, and never before this has returned; nothing is awaited on the caller's side, so that the
        fast lane can go on from there. ``False``: it has not begun, and ``charge`` has to be awaited.
        """
        ...

    async def drain(self, bill: Bill, now_us: int, *, late: Late | None = None) -> Charge:
        """Debit what was already delivered: the first who can pay, or the first asked down to zero.

        The rest is overrun. ``late``: ``now_us`` is past, and only windows that are still open are debited. Once only,
        also by another gateway after this one was killed, until ``confirm``.
        """
        ...

    def doubt(self, bill: Bill) -> str:
        """After a charge that raised ``StoreUnavailable``: what ``Late`` has to know of it."""
        ...

    async def confirm(self, charges: Sequence[Charge]) -> None:
        """It is written down that these were drained late: nobody will do it again."""
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

    def call_off(self, bill: Bill) -> None:
        """Nobody wants a charge that raised ``StoreUnavailable``: if it was made all the same, it is given back."""
        ...

    def tend(self, settled_before_us: int, now_us: int) -> None:
        """Once a second: let go of what need not be kept. ``settled_before_us``: the journal holds what came before."""
        ...

    def __len__(self) -> int:
        """How many scopes are in this process's memory."""
        ...

    @property
    def failure(self) -> str | None:
        """Why nothing can be charged at the moment, in a few words; ``None``: it can."""
        ...

    @property
    def in_doubt(self) -> int:
        """How many acts nobody knows the outcome of, or are still to be undone: a kill leaves them as they are."""
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...
