"""Asking other gateways for what they hold of a scope, and hearing when they ask."""

import asyncio
import contextlib
from collections.abc import Callable

from redis.exceptions import RedisError

from gateway import log
from gateway.core.scope import Scope
from gateway.ledger.redis.names import Names
from gateway.ledger.redis.servers import Servers
from gateway.tasks import Tasks

_AGAIN_S = 0.3
_REST_S = 0.02
_MOST_KEYS = 200_000

_log = log.get_logger(__name__)


class Recall:
    """``hears``: whether this gateway would hear that somebody asks. Who does not hear must hold nothing."""

    def __init__(self, servers: Servers, names: Names) -> None:
        self._servers = servers
        self._names = names
        self._channel = names.common("recall")
        self._scopes: dict[bytes, Scope] = {}
        self._told: Callable[[Scope], None] = lambda _scope: None
        self._asked_s: dict[Scope, float] = {}
        self._tasks = Tasks(stubborn=True)
        self.hears = False

    def follow(self, told: Callable[[Scope], None]) -> None:
        """Call ``told`` for each scope that is asked for and held here."""
        self._told = told
        self._tasks.start(self._listen(), "hear who needs a slice back")

    def holds(self, scope: Scope) -> None:
        """Something of this scope is held here."""
        if len(self._scopes) >= _MOST_KEYS:
            del self._scopes[next(iter(self._scopes))]
        self._scopes[self._names.scope(scope)] = scope

    async def ask(self, scope: Scope) -> None:
        """Ask for what others hold, once however many need it. If that does not reach them, they keep it."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._asked_s.get(scope, 0.0) < _REST_S:
            return
        if len(self._asked_s) >= _MOST_KEYS:
            self._asked_s.clear()
        self._asked_s[scope] = now_s
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._servers.ask("PUBLISH", self._channel, self._names.scope(scope))

    async def close(self) -> None:
        """Stop hearing."""
        await self._tasks.close()

    async def _listen(self) -> None:
        while True:
            try:
                async for key in self._servers.listen(self._channel):
                    self.hears = True
                    if (scope := self._scopes.get(key)) is not None:
                        self._told(scope)
            except (RedisError, OSError, TimeoutError) as error:
                if self.hears:
                    _log.warning("slices are not cut while nobody could ask for them", error=type(error).__name__)
            self.hears = False
            await asyncio.sleep(_AGAIN_S)
