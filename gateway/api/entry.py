"""The story of one call of our own API: find its route, see who calls, count it, let it in, read it, answer it."""

from collections.abc import Callable
from dataclasses import replace

from gateway.api.call import Call, Caller, Knock
from gateway.api.desk import Desk
from gateway.api.gate import address_of
from gateway.api.reading import BODY_BYTES, read_json, read_precondition, read_query
from gateway.api.reply import written
from gateway.api.route import USUAL, Route
from gateway.api.router import Router
from gateway.core.answers import Answer
from gateway.core.problems import BadRequest, Forbidden, Unauthorized
from gateway.identity.membership import Relayed

_READS = frozenset({"GET", "HEAD"})


class Api:
    """Answers calls. ``per_minute``: how many a caller may make, as it is configured now."""

    def __init__(self, router: Router, desk: Desk, per_minute: Callable[[], int]) -> None:
        self.router = router
        self._desk = desk
        self._gate = desk.gate
        self._pace = desk.pace
        self._per_minute = per_minute

    async def answer(self, knock: Knock) -> Answer:
        """The answer. Raises a ``Problem`` for everything that is refused."""
        route, params = self.router.find(knock.method, knock.segments)
        caller = knock.caller = await self._identify(route, knock)
        self._count(route, _payer(caller), knock.at_us)
        _check_site(knock)
        refusal = await self._gate.admit(route.who, route.policy, caller, knock)
        if refusal is not None:
            return _relayed(refusal)
        call = await self._read(route, caller, knock, params)
        reply = await route.handler(call, self._desk)
        if route.lists and reply.columns is None:
            reply = replace(reply, columns=route.tells)
        return written(reply, call)

    async def _identify(self, route: Route, knock: Knock) -> Caller:
        try:
            return await self._gate.identify(route.who, knock)
        except (Unauthorized, BadRequest, Forbidden):
            self._count(route, ("address", address_of(self._desk.identity(), knock) or ""), knock.at_us)
            raise

    def _count(self, route: Route, who: tuple[str, str], now_us: int) -> None:
        per_minute = self._per_minute() if route.per_minute == USUAL else route.per_minute
        if per_minute:
            kind = who[0] if route.per_minute == USUAL else f"{route.method} {route.template} {who[0]}"
            self._pace.take((kind, who[1]), per_minute, now_us)

    async def _read(self, route: Route, caller: Caller, knock: Knock, params: dict[str, str]) -> Call:
        """Whatever is wrong with the call as such is found before its handler begins."""
        asked = read_query(route.asks, knock.query, self._desk.identity().carriers)
        precondition = read_precondition(knock)
        raw = await knock.body(BODY_BYTES) if route.takes is not None or route.reads_raw else b""
        said = None if route.takes is None else read_json(route.takes, knock, raw)
        return Call(knock, caller, params, precondition, asked, said, raw)


def _payer(caller: Caller) -> tuple[str, str]:
    """Whose calls are counted together."""
    if caller.user is not None:
        return "user", caller.user
    if caller.via == "admin_login":
        return "admin", caller.address or ""
    if caller.identified is not None and caller.asked is not None:
        return "workspace", caller.asked
    return "address", caller.address or ""


def _check_site(knock: Knock) -> None:
    """A page elsewhere must not act with the cookie of whoever looks at it (tokens in headers cannot be borrowed)."""
    if knock.method not in _READS and knock.header(b"sec-fetch-site") == b"cross-site" and knock.header(b"cookie"):
        raise Forbidden("Another site made the browser send this. Send a token in a header, and no cookies.")


def _relayed(refusal: Relayed) -> Answer:
    return Answer(refusal.status, list(refusal.headers), refusal.body)
