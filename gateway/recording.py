"""What the gateway writes down beside serving: the journal of charges, and the access log."""

from collections.abc import Mapping
from pathlib import Path

from gateway import log
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.journal.append import Journal
from gateway.journal.errors import JournalError
from gateway.journal.history import History
from gateway.journal.kept import KeptInJournal
from gateway.journal.open import open_journal
from gateway.journal.options import Options, Retention
from gateway.log import AccessLog
from gateway.metrics import Metrics
from gateway.settings.models import Settings

STORE_PATIENCE_US = 1_000_000
"""The journal may fail this long before ``on_store_failure`` applies (product.md 3)."""

_log = log.get_logger(__name__)


class Recording:
    """The open journal with what is read from it (``None``: ``ledger: memory:`` keeps nothing), and the access log."""

    def __init__(self) -> None:
        self.journal: Journal | None = None
        self.history: History | None = None
        self.kept: KeptInJournal | None = None
        self.access: AccessLog | None = None

    async def open(self, settings: Settings, path: Path | None) -> None:
        """Open the journal at ``path`` and the access log. Raises what the operator can mend, each a sentence."""
        if path is not None:
            self.journal = await open_journal(path, options=_journal_options(settings))
            self.history = History(path)
            self.kept = KeptInJournal(self.journal, path)
        self.access = _access_log(settings)

    async def close(self) -> None:
        """Write what is left. Raises ``JournalError`` on a loss."""
        if self.access is not None:
            self.access.close()
        if self.history is not None:
            await self.history.close()
        if self.journal is not None:
            await self.journal.close()

    async def restore(self, scope: Scope) -> Mapping[LimitKey, Bucket]:
        """The scope's buckets as they were. Raises ``StoreUnavailable``."""
        if self.journal is None:
            return {}
        try:
            return await self.journal.load(scope)
        except JournalError as error:
            _log.error("a scope could not be restored", scope=str(scope), reason=str(error))
            raise StoreUnavailable("Budgets cannot be read at the moment. Try again shortly.") from error

    def settled_us(self, now_us: int) -> int:
        """Until when everything is on disk and folded."""
        return now_us if self.journal is None else self.journal.folded_until_us

    def failing(self) -> bool:
        """Whether the journal has failed for longer than is borne."""
        return self.journal is not None and self.journal.failing_for_us > STORE_PATIENCE_US

    @property
    def parts(self) -> Mapping[str, str]:
        """For the readiness answer."""
        if self.journal is None:
            return {}
        return {"journal": (self.journal.report.failure or "not written") if self.failing() else "ok"}

    def sample(self, metrics: Metrics) -> None:
        """Show on each scrape what is pending, lost and failing."""
        sample = metrics.sample
        if (journal := self.journal) is not None:
            sample("journal_pending_records", lambda: {(): journal.pending})
            sample("journal_lost_records", lambda: {(): journal.lost})
            sample("journal_unfolded_seconds", lambda: {(): journal.unfolded_us / 1_000_000})
            sample("journal_failing", lambda: {(): int(journal.failing_since_us is not None)})
        if (access := self.access) is not None:
            sample("access_log_lost_lines", lambda: {(): access.lost})


def _journal_options(settings: Settings) -> Options:
    ledger = settings.ledger
    kept = Retention(
        entries_us=ledger.keep,
        bytes=ledger.keep_size,
        minutes_us=ledger.keep_minutes,
        hours_us=ledger.keep_hours,
        days_us=ledger.keep_days,
    )
    return Options(retention=kept)


def _access_log(settings: Settings) -> AccessLog | None:
    match settings.log.access:
        case False:
            return None
        case True:
            return AccessLog(None)
        case str() as path:
            try:
                return AccessLog(Path(path))
            except OSError as error:
                raise OSError(f"cannot write {path}: {error.strerror}; mend that or change `log.access`") from error
