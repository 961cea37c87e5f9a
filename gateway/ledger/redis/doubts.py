"""Acts of which nobody knows whether they were done. Each is cleared up by its id before anything is done again.

Redis remembers outcomes for ``_HORIZON_S``. Asked to call an act off, it says what came of it, or sees to it that
nothing will. What is asked later than that stays unknown, and is not done a second time: nobody pays twice.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.core.bucket import LimitKey
from gateway.core.scope import Scope
from gateway.ledger.bounds import HORIZON_S
from gateway.ledger.redis.line import Line
from gateway.ledger.redis.states import States, bucket_from

_HORIZON_S = HORIZON_S
"""Less than in ``lua/acts.lua``, which remembers outcomes for 30 s at least: asking takes time too."""
MOST = 100_000
"""So many are kept; of more the oldest is forgotten, as if its time had come."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An act that was sent. ``keys``: whose texts its answer brings; ``before``: the state that ``core`` decided upon.

    ``outcome`` makes of the state before what the caller would have been told.
    """

    scope: Scope
    id: str
    keys: Sequence[LimitKey]
    before: States | None
    outcome: Callable[[States], Any]
    sent_s: float


Name = tuple[str, str]
"""What was to be done, and the id of the charge."""


class Doubts:
    """All doubts of one ledger."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._open: dict[Name, Doubt] = {}
        self.unwanted: list[Doubt] = []
        """Charges whose caller has gone, or was told that nothing was charged."""

    def __len__(self) -> int:
        return len(self._open) + len(self.unwanted)

    def add(self, name: Name, doubt: Doubt) -> None:
        """Remember it for whoever does the same again."""
        if len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        self._open[name] = doubt

    def disown(self, name: Name) -> None:
        """Nobody will do it again: what was done is to be undone."""
        if (doubt := self._open.pop(name, None)) is not None:
            del self.unwanted[: max(0, len(self.unwanted) - MOST)]
            self.unwanted.append(doubt)

    def text(self, name: Name, now_us: int) -> str:
        """What another process would have to know to ask for an act in doubt, and when it was sent; empty: no doubt."""
        doubt = self._open.get(name)
        if doubt is None:
            return ""
        ago_s = asyncio.get_running_loop().time() - doubt.sent_s
        return f"{doubt.id} {now_us - int(ago_s * 1_000_000)}"

    async def clear(self, name: Name) -> "Any | Literal['unknown'] | None":  # noqa: ANN401  (whatever the act's outcome is)
        """The outcome of an act in doubt; ``None``: there is none, or it was not done and never will be.

        ``unknown``: it is too late to know. Raises ``StoreUnavailable``, and the doubt stays.
        """
        doubt = self._open.get(name)
        if doubt is None:
            return None
        outcome = await self.resolve(doubt)
        self._open.pop(name, None)
        return outcome

    async def resolve(self, doubt: Doubt) -> "Any | Literal['unknown'] | None":  # noqa: ANN401
        """See ``clear``."""
        if asyncio.get_running_loop().time() - doubt.sent_s > _HORIZON_S:
            return "unknown"
        reply = await self._line.act(doubt.scope, {"now": 0, "id": doubt.id, "void": True})
        if reply[0] != b"done":
            return None
        if len(reply) == 1 and doubt.before is not None:
            return doubt.outcome(doubt.before)
        return doubt.outcome(told_before(doubt.keys, reply))


def told_before(keys: Sequence[LimitKey], reply: Sequence[bytes | None]) -> States:
    """The state before an act, as its answer tells it."""
    texts = zip(keys, reply[1:], strict=False)
    return {key: bucket_from(text, key) for key, text in texts if text is not None}
