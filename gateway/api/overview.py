"""How busy the gateway is, and how each part of it is. For admins."""

from typing import Literal

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import Told
from gateway.api.history import TopEntry, top, unreadable
from gateway.api.reply import Reply
from gateway.api.route import Who, route
from gateway.core.plan import THROUGHPUT
from gateway.core.problems import Problem
from gateway.journal.errors import JournalError
from gateway.journal.history import History, Question

WINDOW_S = 300
_TOP = 10
_SECOND_US = 1_000_000
_COUNTED = (THROUGHPUT, "")
"""Each request is counted once on one of these: the one that every rule weighs, and that of requests without costs."""


class Overview(Told):
    """Rates and tops of the last ``window_seconds``; absent where nothing is kept of what was used."""

    requests_per_second: float | None = None
    refused_per_second: float | None = None
    window_seconds: int = WINDOW_S
    top_scopes: list[TopEntry]
    top_rules: list[TopEntry]
    parts: dict[str, str]


async def get_overview(call: Call, desk: Desk) -> Reply:
    """How busy it is, who and what is used most, and how each part is."""
    parts = dict(desk.parts())
    if desk.history is None:
        return Reply(Overview(top_scopes=[], top_rules=[], parts=parts))
    try:
        passed, refused = await _rates(desk.history, call.now_us)
    except JournalError as error:
        raise unreadable() from error
    return Reply(
        Overview(
            requests_per_second=passed,
            refused_per_second=refused,
            top_scopes=await _top(desk.history, "scope", call.now_us),
            top_rules=await _top(desk.history, "rule", call.now_us),
            parts=parts,
        )
    )


async def _rates(history: History, now_us: int) -> tuple[float, float]:
    """Requests and refusals per second: of whole minutes, and of what there is of this one."""
    from_us = now_us - WINDOW_S * _SECOND_US
    from_us -= from_us % (60 * _SECOND_US)
    asked = Question(scope=None, granularity="minute", from_us=from_us, to_us=now_us + 1, by="total")
    found, _ = await history.usage(asked)
    counted = [each for each in found if each.meter in _COUNTED]
    seconds = (now_us - from_us) / _SECOND_US
    refused = sum(each.refused for each in counted)
    return round((sum(each.requests for each in counted) + refused) / seconds, 3), round(refused / seconds, 3)


async def _top(history: History, by: Literal["scope", "rule"], now_us: int) -> list[TopEntry]:
    """None at all rather than no overview, where it takes too long."""
    window = (now_us - WINDOW_S * _SECOND_US, now_us + 1)
    try:
        return await top(history, by, window, meter=THROUGHPUT, most=_TOP)
    except Problem:
        return []


ROUTES = (route("GET", "/overview", get_overview, who=Who.ADMIN, tells=Overview),)
