"""What the scripts are asked, and what their answers say: the script decides the usual, ``core`` says the same again.

Where a script hands the state out instead (a plan was replaced, numbers are too large for doubles), ``core`` decides,
and what it decided is written if the state is still the one that it looked at; else it decides again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gateway.clock import new_id
from gateway.core.allowance import Allowance
from gateway.core.bucket import Bucket, LimitKey
from gateway.core.cascade import Charge, Costs, Posting
from gateway.core.problems import StoreUnavailable
from gateway.core.refund import gifts as gifts_of
from gateway.core.scope import Scope
from gateway.ledger.redis.doubts import Doubt, Doubts, Learnt, Name, told_before
from gateway.ledger.redis.line import Act, Line, Unknown
from gateway.ledger.redis.states import States, field_of, pairs_of, states_from, text_of
from gateway.ledger.redis.terms import TermsOf, gift_rows

_TRIES = 100
"""So often somebody else may be faster where ``core`` decides."""
_LARGE = 1 << 52
HELD = b"held"
"""A state is handed out to be decided, and other gateways hold slices of it."""


class Change(NamedTuple):
    """What ``core`` decided. ``charge``: what a hold would give back."""

    postings: Sequence[Posting] = ()
    dropped: Sequence[LimitKey] = ()
    charge: Charge | None = None


class Told(NamedTuple):
    """What became of an act: whether it was done, and upon which state. ``gone``: its hold was not there.

    ``slice``: what a slice got; where nothing was done, whether others hold some. ``None``: it was not asked for.
    ``charge``: it was paid without asking.
    """

    done: bool
    before: States
    gone: bool = False
    slice: int | None = None
    charge: Charge | None = None


class Deed(NamedTuple):
    """Something to be done to one scope. ``keys``: whose texts the answer brings, in order.

    ``decide``: ``core``'s decision upon a state; ``None``: nothing is to be done. ``outcome``: what the caller is told.
    ``learnt``: whom it matters to, if it was in doubt and is not any more.
    """

    scope: Scope
    act: Act
    keys: Sequence[LimitKey]
    decide: Callable[[Mapping[LimitKey, Bucket]], Change | None]
    outcome: Callable[[States], object]
    learnt: Learnt | None = None


def taking(terms_of: TermsOf, allowance: Allowance, costs: Costs, now_us: int) -> tuple[Act, Sequence[LimitKey]]:
    """The act of taking ``costs`` from an allowance, all or nothing, and whose texts it brings."""
    terms = terms_of(allowance)
    act: Act = {"now": now_us, "limits": terms.rows(now_us), "demands": terms.demands(costs), "grants": terms.grants}
    if terms.large or any(cost >= _LARGE for cost in costs.values()):
        act["decide"] = True
    return act, terms.keys


class Deeds:
    """Does deeds, each once."""

    def __init__(self, line: Line, doubts: Doubts) -> None:
        self._line = line
        self._doubts = doubts

    async def read(self, scope: Scope, act: Act, keys: Sequence[LimitKey]) -> States:
        """The state upon which an act would be decided. Raises ``StoreUnavailable``."""
        reply = await self._line.act(scope, act)
        return states_from(texts(reply)) if reply[0] == b"decide" else told_before(keys, reply)

    async def do(self, deed: Deed, name: Name) -> Told:
        """Do it. Raises ``StoreUnavailable``; what is then unknown is kept in doubt under ``name``.

        A caller that is cancelled does not want it any more.
        """
        id_, before = new_id(), None
        act: Act = {**deed.act, "id": id_}
        sent_s = asyncio.get_running_loop().time()
        try:
            for _ in range(_TRIES):
                reply = await self._line.act(deed.scope, act)
                if reply[0] not in (b"decide", HELD):
                    return _told(deed, reply, before)
                before = states_from(texts(reply))
                change = deed.decide(before)
                if change is None:
                    return Told(False, before, slice=int(reply[0] == HELD))
                if not change.postings and not change.dropped and "hold" not in act and "ends" not in act:
                    return Told(True, before)
                act = {**decided(deed.act, before, change), "id": id_}
        except (Unknown, asyncio.CancelledError) as error:
            cuts = "slice" in act
            doubt = Doubt(self._line, deed.scope, id_, deed.keys, before, deed.outcome, sent_s, cuts, deed.learnt)
            self._doubts.add(name, doubt)
            if isinstance(error, asyncio.CancelledError):
                self._doubts.disown(name)
            raise
        raise StoreUnavailable("Too many others charge the same budget at once. Try again shortly.")


def texts(reply: Sequence[bytes | None]) -> list[bytes]:
    """The fields and texts of an answer that hands a state out."""
    return [text for text in reply[1:] if text is not None]


def _told(deed: Deed, reply: Sequence[bytes | None], before: States | None) -> Told:
    word = reply[0]
    if word == b"void":
        raise StoreUnavailable("The charge was called off.")
    if word == b"done" and len(reply) == 1 and before is not None:
        return Told(True, before)
    cut = int(reply[-1] or 0) if "slice" in deed.act and word in (b"done", b"short") else None
    return Told(word == b"done", told_before(deed.keys, reply), gone=word == b"gone", slice=cut)


def decided(asked: Act, before: States, change: Change) -> Act:
    """The act of writing what ``core`` decided."""
    changes: dict[LimitKey, str | bool] = {each.limit: text_of(each.after, each.limit) for each in change.postings}
    changes.update(dict.fromkeys(change.dropped, False))
    act: Act = {
        "now": asked["now"],
        "expected": pairs_of(before),
        "changes": [(field_of(key), text) for key, text in changes.items()],
    }
    act |= {name: asked[name] for name in ("ends", "uncut", "slice") if name in asked}
    if "hold" in asked and change.charge is not None:
        act["hold"] = [*asked["hold"], gift_rows(gifts_of(change.charge, change.charge.costs))]
    return act
