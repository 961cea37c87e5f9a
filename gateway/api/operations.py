"""Health and metrics below ``/-/``: for orchestrators and scrapers, free and without credentials."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson

from gateway.core.answers import Answer
from gateway.core.problems import MethodNotAllowed, NotFound
from gateway.metrics import Metrics
from gateway.workers.numbers import summed

JSON = (b"Content-Type", b"application/json")
PROMETHEUS = (b"Content-Type", b"text/plain; version=0.0.4; charset=utf-8")
NO_STORE = (b"Cache-Control", b"no-store")

Readiness = Callable[[], Mapping[str, str]]
"""What readiness hangs on: a name to ``ok`` or to what is wrong, in words."""
DEGRADED = "degraded"
"""How a part's words begin that goes on with what it knows: sending its requests elsewhere would help nobody."""


Others = Callable[[bytes], Awaitable[Sequence[bytes]]]
"""What the other workers of this gateway say of theirs; it is told what this one says."""


class Operations:
    """The routes below the internal prefix."""

    def __init__(
        self, metrics: Metrics, readiness: Readiness, *, serve_metrics: bool = True, others: Others | None = None
    ) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._serve_metrics = serve_metrics
        self._others = others

    def parts(self) -> Mapping[str, str]:
        """How each part is, in words; ``ok`` where it is well."""
        return self._readiness()

    async def answer_for_all(self, method: str, path: tuple[str, ...]) -> Answer:
        """``answer``, with the numbers of all workers where there are several."""
        said = self.answer(method, path)
        if self._others is None or path != ("metrics",):
            return said
        return said._replace(body=summed([said.body, *await self._others(said.body)]))

    def answer(self, method: str, path: tuple[str, ...]) -> Answer:
        """The answer to a path, given as its segments below the prefix. Raises ``NotFound``, ``MethodNotAllowed``."""
        if method not in {"GET", "HEAD"}:
            raise MethodNotAllowed("This is only read: use GET.", headers=((b"Allow", b"GET, HEAD"),))
        match path:
            case ("health", "live"):
                return Answer(200, [JSON, NO_STORE], orjson.dumps({"status": "ok"}))
            case ("health", "ready"):
                return self._ready()
            case ("metrics",) if self._serve_metrics:
                return Answer(200, [PROMETHEUS, NO_STORE], self._metrics.text())
            case _:
                raise NotFound("Nothing is here. There are /-/health/live, /-/health/ready and /-/metrics.")

    def _ready(self) -> Answer:
        """200 while every part is ok or at least works, else 503 with what is wrong."""
        parts = self._readiness()
        ready = all(state == "ok" or state.startswith(DEGRADED) for state in parts.values())
        status = "unavailable" if not ready else "ok" if set(parts.values()) == {"ok"} else "degraded"
        body = {"status": status, "parts": dict(parts)}
        return Answer(200 if ready else 503, [JSON, NO_STORE], orjson.dumps(body))
