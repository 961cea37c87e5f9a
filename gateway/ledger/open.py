"""From the setting ``ledger`` to a ledger: the only module that names one."""

from urllib.parse import urlsplit

from gateway.ledger.memory import MemoryLedger, Restore

KEPT_IN_MEMORY = frozenset({"memory", "sqlite"})
"""Schemes whose buckets live in this process. With ``sqlite`` a journal on disk lies beneath, which restores them."""


def open_ledger(url: str, restore: Restore | None = None) -> MemoryLedger:
    """The ledger for ``memory:`` or ``sqlite:///file``. Raises ``ValueError`` for a scheme that has no ledger."""
    scheme = urlsplit(url).scheme
    if scheme not in KEPT_IN_MEMORY:
        known = ", ".join(sorted(KEPT_IN_MEMORY))
        raise ValueError(f"there is no ledger for {scheme or 'an empty scheme'!r}; known are {known}")
    return MemoryLedger(None if scheme == "memory" else restore)
