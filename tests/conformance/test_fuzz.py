"""Odd requests by the thousand: nothing crashes, nothing is charged wrongly, nothing arrives that the journal misses.

``WEIGHBRIDGE_FUZZ=100000`` sends so many, as where ``CI`` is set; ``WEIGHBRIDGE_SEED`` begins elsewhere.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.flood import flood, who
from tests.conformance.mutate import answers, seeds, spoiled
from tests.conformance.odd import conversations
from tests.conformance.script import cases
from tests.conformance.test_corpus import LANES

pytestmark = pytest.mark.slow

MANY = int(os.environ.get("WEIGHBRIDGE_FUZZ") or ("100000" if os.environ.get("CI") else "6000"))
FEW = int(os.environ.get("WEIGHBRIDGE_FUZZ") or "6000")
SEED = int(os.environ.get("WEIGHBRIDGE_SEED", "20260401"))
AT_ONCE = 24


def cut(chance: random.Random, data: bytes) -> int:
    """A place to cut ``data`` in two: mostly behind a request, where a kept connection rests."""
    ends = [at + 4 for at in range(len(data)) if data.startswith(b"\r\n\r\n", at)]
    return chance.choice(ends) if ends and chance.random() < 0.7 else chance.randrange(len(data) + 1)


@pytest.mark.parametrize("lane", LANES)
async def test_spoiled_requests_are_answered_charged_and_known(tmp_path: Path, lane: str) -> None:
    chance, found = random.Random(SEED), seeds(cases(), who())
    sent = 0
    async with flood(tmp_path, lane) as here:

        async def client() -> None:
            nonlocal sent
            while sent < MANY // len(LANES):
                data = spoiled(chance, found)
                sent += max(1, data.count(b" HTTP/1."))
                await here.send(data, [cut(chance, data) for _ in range(chance.choice((0, 0, 1, 2, 4)))])

        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    print(f"{sent} requests: {len(here.arrived)} arrived, answers {sorted(here.answers.items())}")
    # Some arrived and some were refused: both were tried.
    assert sent / 10 < len(here.arrived) < sent
    assert min(here.answers[200], here.answers[400]) > sent / 50


@given(data=st.data())
@settings(max_examples=max(10, FEW // 400), suppress_health_check=list(HealthCheck), deadline=None)
async def test_requests_of_odd_parts_are_answered_charged_and_known(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    batch, said = data.draw(conversations()), who()["who"].encode()
    async with flood(tmp_path_factory.mktemp("odd")) as here:
        await asyncio.gather(*(here.send(wire.replace(b"{who}", said)) for wire in batch))


GET_TWICE = b"GET %b%d HTTP/1.1\r\nHost: a\r\n%b\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n%b\r\nConnection: close\r\n\r\n"


async def test_spoiled_answers_reach_no_client_as_anything_but_http(tmp_path: Path) -> None:
    """The client's reader is strict: it would stumble over a byte that belongs to no answer."""
    chance, found, said = random.Random(SEED), answers(cases()), who()["who"].encode()
    sent, most = 0, FEW // 10
    async with flood(tmp_path) as here:
        here.spoil = lambda: spoiled(chance, found)

        async def client() -> None:
            nonlocal sent
            while sent < most:
                sent += 2
                await here.send(GET_TWICE % (chance.choice((b"/x/", b"/me?")), sent, said, said))

        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    final = sum(count for status, count in here.answers.items() if status >= 200)
    print(f"{sent} requests: answers {sorted(here.answers.items())}")
    assert final <= sent
    assert min(here.answers[200], here.answers[502]) > sent / 50
