"""The journal as the memory of a ledger that many share: what it knows of buckets, and which epochs were told."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from gateway.core.bucket import Bucket, LimitKey
from gateway.core.limit_text import key_from
from gateway.core.scope import Scope
from gateway.journal.append import Journal
from gateway.journal.errors import JournalError
from gateway.journal.snapshots import Place

_PAGE = 500


class KeptInJournal:
    """``beside`` the journal at ``path`` lies a small file with the epochs that it was brought into."""

    def __init__(self, journal: Journal, path: Path) -> None:
        self._journal = journal
        self._file = path.with_name(f"{path.name}.epoch")
        self._told: str | None = None

    async def pages(self) -> AsyncIterator[Sequence[tuple[Scope, Mapping[LimitKey, Bucket]]]]:
        """The buckets that are not full, in pages. Raises ``OSError``."""
        await self._journal.fold()
        after: Place | None = None
        while True:
            try:
                found, after = await self._journal.page(after, _PAGE)
            except JournalError as error:
                raise OSError(str(error)) from error
            yield [(scope, {key_from(key): bucket for key, bucket in states.items()}) for scope, states in found]
            if after is None:
                return

    def filled(self) -> str:
        """What ``fill`` was told last."""
        if self._told is None:
            try:
                self._told = self._file.read_text("ascii")
            except OSError:
                self._told = ""
        return self._told

    def fill(self, epochs: str) -> None:
        """Remember it. A disk that takes nothing costs a second telling after a restart, no more."""
        self._told = epochs
        try:
            self._file.write_text(epochs, "ascii")
        except OSError:
            return
