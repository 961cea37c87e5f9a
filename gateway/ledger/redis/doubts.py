"""Acts of which nobody knows whether they were done. Each is cleared up by its id before anything is done again.

Redis remembers outcomes for ``_HORIZON_S``. Asked to call an act off, it says what came of it, or sees to it that
nothing will. What is asked later than that stays unknown, and is not done a second time: nobody pays twice.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from gateway.core.bucket import LimitKey
from gateway.core.cascade import Charge
from gateway.core.scope import Scope
from gateway.ledger.bounds import HORIZON_S
from gateway.ledger.redis.line import Line
from gateway.ledger.redis.states import States, bucket_from

_HORIZON_S = HORIZON_S
"""Less than in ``lua/acts.lua``, which remembers outcomes for 30 s at least: asking takes time too."""
MOST = 100_000
"""So many are kept; of more the oldest is forgotten, as if its time had come."""


class Uncertain(Protocol):
    """Something that was sent at ``sent_s`` (the loop's time). Another process can ask for it by ``id``."""

    @property
    def id(self) -> str:
        """What Redis remembers it by."""
        ...

    @property
    def sent_s(self) -> float:
        """When it was sent."""
        ...

    async def resolve(self) -> Any | None:  # noqa: ANN401
        """What the caller would have been told; ``None``: it was not done, and never will be."""
        ...


Learnt = Callable[[Any, int], None]
"""Told once what became of an act that was in doubt: its outcome (``None``: it was not done), and what a slice got."""


@dataclass(slots=True)
class Doubt:
    """An act that was sent. ``keys``: whose texts its answer brings; ``before``: the state that ``core`` decided upon.

    ``outcome`` makes of the state before what the caller would have been told. ``cuts``: a slice was wanted with it.
    """

    line: Line
    scope: Scope
    id: str
    keys: Sequence[LimitKey]
    before: States | None
    outcome: Callable[[States], Any]
    sent_s: float
    cuts: bool = False
    learnt: Learnt | None = None

    async def resolve(self) -> Any | None:  # noqa: ANN401
        """See ``Uncertain``."""
        reply = await self.line.act(self.scope, {"now": 0, "id": self.id, "void": True})
        outcome, units = None, 0
        if reply[0] == b"done" and len(reply) == 1 and self.before is not None:
            outcome = self.outcome(self.before)
        elif reply[0] == b"done":
            outcome = self.outcome(told_before(self.keys, reply))
            units = int(reply[-1] or 0) if self.cuts else 0
        if (learnt := self.learnt) is not None:
            self.learnt = None
            learnt(outcome if reply[0] == b"done" else None, units)
        return outcome


class Unwanted(NamedTuple):
    """A charge that was made, of which nobody wants to hear any more."""

    charge: Charge
    sent_s: float
    id: str = ""

    async def resolve(self) -> Charge:
        """See ``Uncertain``."""
        return self.charge


Name = tuple[str, str]
"""What was to be done, and the id of the charge."""


class Doubts:
    """All doubts of one ledger."""

    def __init__(self) -> None:
        self._open: dict[Name, Uncertain] = {}
        self.unwanted: list[Uncertain] = []
        """Charges whose caller has gone, or was told that nothing was charged."""

    def __len__(self) -> int:
        return len(self._open) + len(self.unwanted)

    def add(self, name: Name, doubt: Uncertain) -> None:
        """Remember it for whoever does the same again."""
        if len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        self._open[name] = doubt

    def disown(self, name: Name) -> None:
        """Nobody will do it again: what was done is to be undone."""
        if (doubt := self._open.pop(name, None)) is not None:
            self.throw_away(doubt)

    def throw_away(self, doubt: Uncertain) -> None:
        """If it was done, it is to be undone."""
        del self.unwanted[: max(0, len(self.unwanted) - MOST)]
        self.unwanted.append(doubt)

    def __contains__(self, name: Name) -> bool:
        return name in self._open

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

    async def resolve(self, doubt: Uncertain) -> "Any | Literal['unknown'] | None":  # noqa: ANN401
        """See ``clear``."""
        if asyncio.get_running_loop().time() - doubt.sent_s > _HORIZON_S:
            return "unknown"
        return await doubt.resolve()


def told_before(keys: Sequence[LimitKey], reply: Sequence[bytes | None]) -> States:
    """The state before an act, as its answer tells it."""
    texts = zip(keys, reply[1:], strict=False)
    return {key: bucket_from(text, key) for key, text in texts if text is not None}
