import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.core.problems import Conflict, NotFound, PreconditionFailed, Problem, Unprocessable
from gateway.store import audit, weights
from gateway.store.listing import Listing
from gateway.store.rows import WeightDraft, WeightRow
from gateway.store.stock import read_stock
from gateway.store.store import Store
from tests.store.samples import BY

SEND = WeightDraft(method="POST", pattern="/message/*", weight=5, description="send")


def anything(_weights: Sequence[WeightRow]) -> None:
    """Every set of weights is good."""


def at_most_one(rows: Sequence[WeightRow]) -> None:
    if len(rows) > 1:
        raise Unprocessable("There may be one.")


async def test_a_weight_is_made_read_changed_and_removed(store: Store) -> None:
    made = await weights.create(store, SEND, anything, BY)
    assert (await read_stock(store)).weights == (made,)
    after = await weights.update(store, made.id, lambda old: replace(old, weight=0, description=None), anything, BY)
    assert (after.weight, after.description, after.revision) == (0, None, 2)
    assert await weights.get(store, made.id) == after
    assert await weights.update(store, made.id, lambda old: old, anything, BY) == after
    await weights.delete(store, made.id, BY._replace(if_revision=2))
    assert await weights.page(store, Listing()) == ()
    assert (await audit.changes_since(store, 0)).topics == {"weight"}


async def test_one_method_and_pattern_has_one_weight(store: Store) -> None:
    done = await asyncio.gather(*(weights.create(store, SEND, anything, BY) for _ in range(5)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Conflict"] * 4 + ["WeightRow"]
    other = await weights.create(store, replace(SEND, method="PUT"), anything, BY)
    with pytest.raises(Conflict, match=r"POST /message/\* has a weight already"):
        await weights.update(store, other.id, lambda old: replace(old, method="POST"), anything, BY)


async def test_the_whole_set_is_judged_before_it_is_kept(store: Store) -> None:
    acts = [weights.create(store, replace(SEND, pattern=f"/{n}"), at_most_one, BY) for n in range(4)]
    done = await asyncio.gather(*acts, return_exceptions=True)
    assert sum(isinstance(each, Unprocessable) for each in done) == 3
    (kept,) = await weights.page(store, Listing())

    def never(_rows: Sequence[WeightRow]) -> None:
        raise Unprocessable("No.")

    with pytest.raises(Unprocessable):
        await weights.update(store, kept.id, lambda old: replace(old, weight=9), never, BY)
    assert await weights.get(store, kept.id) == kept


async def test_of_two_admins_one_is_told(store: Store) -> None:
    made = await weights.create(store, SEND, anything, BY)
    based = BY._replace(if_revision=1)
    done = await asyncio.gather(
        weights.delete(store, made.id, based),
        weights.update(store, made.id, lambda old: replace(old, weight=1), anything, based),
        return_exceptions=True,
    )
    assert sum(isinstance(each, PreconditionFailed | NotFound) for each in done) == 1


async def test_weights_are_found(store: Store) -> None:
    send = await weights.create(store, SEND, anything, BY)
    read = await weights.create(store, WeightDraft(method="GET", pattern="/contact", weight=1), anything, BY)
    assert await weights.page(store, Listing(), method="GET") == (read,)
    assert await weights.page(store, Listing(), text="SEND") == (send,)
    assert await weights.page(store, Listing(), text="/cont") == (read,)
    for act in (weights.get(store, "x"), weights.delete(store, "x", BY)):
        with pytest.raises(NotFound):
            await act


@pytest.mark.parametrize(("method", "weight"), [("post", 1), ("", 1), ("POST", -1), ("POST", 10**12 + 1)])
async def test_what_no_weight_can_be(store: Store, method: str, weight: int) -> None:
    with pytest.raises(Problem) as refused:
        await weights.create(store, WeightDraft(method=method, pattern="/", weight=weight), anything, BY)
    assert refused.value.status == 422
