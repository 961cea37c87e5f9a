"""How often each rule was met in the last day."""

from gateway.api.desk import Desk
from gateway.core.plan import THROUGHPUT
from gateway.journal.errors import JournalError
from gateway.journal.history import TooMuch

_DAY_US = 86_400_000_000
_MOST_RULES = 10_000


async def hits_of_day(desk: Desk, now_us: int) -> dict[str, int] | None:
    """Requests of the last day, let through or not, by the name of their rule; ``None``: that cannot be told now."""
    if desk.history is None:
        return None
    try:
        shares = await desk.history.top_rules(now_us - _DAY_US, now_us, THROUGHPUT, _MOST_RULES)
    except (TooMuch, JournalError):
        return None
    return {share.rule: share.requests + share.refused for share in shares if share.rule is not None}
