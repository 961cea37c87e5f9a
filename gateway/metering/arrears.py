"""What was let through while its budget could not be asked, from there to its late debit.

The journal is its memory: it is written down when it passes, and again when it is debited. So what a gateway owes when
it is killed is debited by the next one that opens its journal, and what does not fit into memory is read from there.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway import log
from gateway.core.cascade import Bill, Charge
from gateway.core.problems import StoreUnavailable
from gateway.journal.errors import JournalError
from gateway.journal.record import Record
from gateway.ledger.port import Late, Ledger
from gateway.metering.catalog import Catalog
from gateway.metering.debts import Debt, Unknown, debt_from
from gateway.metering.recorder import Recorder

KEPT = 20_000
"""So many wait in memory; of more, those that the journal has are read again, and others go free."""
UNKNOWN_SCOPES, UNKNOWN_DEBTS = 20, 1000
"""How many payers, and debts of theirs, one round of late debits steps past because nobody knows what they have."""
_TOGETHER = 64
_PAGE = 500

_log = log.get_logger(__name__)
_Place = tuple[int, str]


class Book(Protocol):
    """The journal, as far as it remembers what is owed."""

    async def flush(self) -> bool:
        """Write what was appended; whether it is on disk."""
        ...

    async def fold(self) -> bool:
        """The same, and let ``owed`` know of it."""
        ...

    async def owed(self, after: _Place | None, most: int) -> tuple[list[Record], _Place | None]:
        """What is owed, oldest first, and the place to go on from."""
        ...


class Arrears:
    """All that is owed. ``book`` ``None``: it is remembered in memory alone. ``debt``: see ``Late``."""

    def __init__(
        self,
        ledger: Ledger,
        recorder: Recorder,
        book: Book | None = None,
        catalog: Callable[[], Catalog] | None = None,
        *,
        debt: int = 0,
    ) -> None:
        self._ledger = ledger
        self._recorder = recorder
        self._book = book
        self._catalog = catalog
        self._debt = debt
        self._passing: dict[str, Debt] = {}
        self._due: deque[Debt] = deque()
        self._turn = asyncio.Lock()
        self._elsewhere = 0
        self._more = book is not None
        """Whether the journal may have some that are not here."""
        self.forgotten = 0
        """How many went free, because too many waited and nobody wrote them down."""

    def __len__(self) -> int:
        """How many that have ended wait to be debited, as far as this process knows."""
        return len(self._due) + self._elsewhere

    def passed(self, debt: Debt) -> None:
        """A request goes on, and is owed."""
        self._passing[debt.id] = debt
        if self._book is not None:
            self._recorder.owed(debt)

    def forgive(self, id_: str) -> None:
        """It is free after all."""
        debt = self._passing.pop(id_, None)
        if debt is not None and self._book is not None:
            self._recorder.forgiven(debt)

    def ended(self, id_: str) -> None:
        """The request is over: it can be debited."""
        debt = self._passing.pop(id_, None)
        if debt is None:
            return
        if len(self._due) < KEPT:
            self._due.append(debt)
        elif self._book is not None:
            self._elsewhere, self._more = self._elsewhere + 1, True
        else:
            self.forgotten += 1

    async def debit(self) -> None:
        """Debit what is owed, each in its own window.

        One whose payer stays unknown does not keep the others waiting. Raises ``StoreUnavailable`` while one still
        cannot be debited; nothing is debited twice or forgotten.
        """
        async with self._turn:
            unknown: Unknown = {}
            await self._debit_due(unknown)
            while self._more:
                await self._bring()
                await self._debit_due(unknown)
                if unknown:
                    break
        for reason in unknown.values():
            raise reason

    async def _bring(self) -> None:
        """Read from the journal what is owed and is not here, as much as there is room for."""
        book, catalog = self._book, self._catalog
        if book is None or catalog is None:
            self._more = False
            return
        await book.fold()
        here, place = {debt.id for debt in self._due}, None
        while len(self._due) < KEPT:
            try:
                records, place = await book.owed(place, _PAGE)
            except JournalError as error:
                _log.error("what is owed cannot be read at the moment", reason=str(error))
                raise StoreUnavailable("What is owed cannot be read from the journal at the moment.") from error
            for record in records:
                if record.id not in here and record.id not in self._passing:
                    self._read(record, catalog())
            if place is None:
                self._more, self._elsewhere = False, 0
                return

    def _read(self, record: Record, catalog: Catalog) -> None:
        try:
            self._due.append(debt_from(record, catalog))
        except (ValueError, TypeError, KeyError) as error:
            _log.error("what is owed cannot be read, and is not debited", id=record.id, reason=repr(error))

    async def _debit_due(self, unknown: Unknown) -> None:
        """One round over what is here."""
        batch: list[tuple[Debt, Bill]] = []
        missed = 0
        for _ in range(len(self._due)):
            debt = self._due[0]
            try:
                bill = await debt.bill(unknown)
            except StoreUnavailable:
                self._due.rotate(-1)
                missed += 1
                if len(unknown) >= UNKNOWN_SCOPES or missed >= UNKNOWN_DEBTS:
                    await self._pay(batch)
                    raise
                continue
            batch.append((debt, bill))
            self._due.popleft()
            if len(batch) == _TOGETHER:
                await self._pay(batch)
                batch = []
        await self._pay(batch)

    async def _pay(self, batch: Sequence[tuple[Debt, Bill]]) -> None:
        """Debit these at once; once it is on disk that they are, the ledger need not remember it any more."""
        if not batch:
            return
        drains = [self._ledger.drain(bill, debt.at_us, late=Late(self._debt, debt.doubt)) for debt, bill in batch]
        outcomes = await asyncio.gather(*drains, return_exceptions=True)
        failures: list[BaseException] = []
        paid: list[Charge] = []
        for (debt, _), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Charge):
                self._recorder.late(debt, outcome)
                paid.append(outcome)
            else:
                self._due.append(debt)
                failures.append(outcome)
        if paid and self._book is not None and await self._book.flush():
            await self._ledger.confirm(paid)
        for failure in failures:
            raise failure
