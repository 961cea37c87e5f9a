"""From a URL to a ledger in Redis."""

from collections.abc import AsyncIterator, Callable

from gateway import clock
from gateway.core.redis_place import place_of
from gateway.ledger.port import Kept, Page
from gateway.ledger.redis.batch import Batches
from gateway.ledger.redis.charging import Parts
from gateway.ledger.redis.connect import carrier_to, servers_at
from gateway.ledger.redis.leased import LeasedLedger
from gateway.ledger.redis.ledger import RedisLedger
from gateway.ledger.redis.line import Line
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.presence import GATHER_S, Presence
from gateway.ledger.redis.recall import Recall
from gateway.ledger.redis.skew import Skew

TIMEOUT_S = 0.5


class NothingKept:
    """For a gateway without a journal."""

    def __init__(self) -> None:
        self._filled = ""

    async def pages(self) -> AsyncIterator[Page]:
        """See ``Kept``."""
        nothing: tuple[Page, ...] = ()
        for page in nothing:
            yield page

    def filled(self) -> str:
        """See ``Kept``."""
        return self._filled

    def fill(self, epochs: str) -> None:
        """See ``Kept``."""
        self._filled = epochs


async def open_redis(  # noqa: PLR0913  (each is a choice by name)
    url: str,
    *,
    kept: Kept | None = None,
    prefix: str = "wb",
    timeout_s: float = TIMEOUT_S,
    gather_s: float = GATHER_S,
    leased: bool = False,
    now_us: Callable[[], int] | None = clock.now_us,
) -> RedisLedger:
    """The ledger at ``url``. Raises ``ValueError`` for a URL that is none; a Redis that is away is waited for later.

    ``leased``: gateways hold slices. ``now_us`` ``None``: callers' instants are taken for Redis's time.
    """
    place = place_of(url)
    servers = servers_at(place, timeout_s)
    names = Names(prefix, sharded=place.kind == "cluster")
    skew = Skew(fixed=now_us is None)
    batches = Batches(servers, now_us or clock.now_us, skew)
    presence = Presence(servers, batches, names, kept or NothingKept(), clock.now_us, gather_s)

    carrier = carrier_to(place, servers, timeout_s)

    async def close() -> None:
        await presence.close()
        await carrier.close()
        await batches.close()
        await servers.close()

    await presence.open()
    await carrier.connect()
    line = Line(batches, names, presence)
    parts = Parts(line, presence, skew, names, carrier, lambda: batches.epochs, now_us or clock.now_us, close)
    return LeasedLedger(parts, Recall(servers, names)) if leased else RedisLedger(parts)
