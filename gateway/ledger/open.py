"""From the setting ``ledger`` to a ledger: the only module that names one."""

from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.core.redis_place import SCHEMES
from gateway.ledger.memory import MemoryLedger, Restore
from gateway.ledger.port import Kept, Ledger

KEPT_IN_MEMORY = frozenset({"memory", "sqlite"})
"""Schemes whose buckets live in this process. With ``sqlite`` a journal on disk lies beneath, which restores them."""


class Shared(NamedTuple):
    """How a ledger that others share is to be used. ``prefix``: of its keys. ``timeout_s``: for each call.

    ``leased``: this gateway may hold slices of budgets, and spend them by itself.
    """

    prefix: str = "wb"
    timeout_s: float = 0.5
    leased: bool = False


async def open_ledger(
    url: str, restore: Restore | None = None, *, kept: Kept | None = None, shared: Shared | None = None
) -> Ledger:
    """The ledger for ``memory:``, ``sqlite:///file`` or a Redis. Raises ``ValueError`` for a scheme that has no ledger.

    ``restore``: a scope's buckets, as this process's journal has them; ``kept``: all of them.
    """
    scheme = urlsplit(url).scheme
    if scheme in SCHEMES:
        from gateway.ledger.redis.open import open_redis  # noqa: PLC0415  (only who has a Redis needs its client)

        chosen = shared or Shared()
        return await open_redis(url, kept=kept, prefix=chosen.prefix, timeout_s=chosen.timeout_s, leased=chosen.leased)
    if scheme not in KEPT_IN_MEMORY:
        known = ", ".join(sorted({*KEPT_IN_MEMORY, *SCHEMES}))
        raise ValueError(f"there is no ledger for {scheme or 'an empty scheme'!r}; known are {known}")
    return MemoryLedger(None if scheme == "memory" else restore)
