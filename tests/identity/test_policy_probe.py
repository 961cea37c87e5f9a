"""What the upstream says a member may do in a workspace: whose list it is, how long it counts, what is never kept."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.core.principal import Principal
from gateway.core.problems import BadGateway, StoreUnavailable, TooManyQuestions
from gateway.identity.config import Identified
from gateway.identity.membership import Relayed
from gateway.identity.policy_probe import PolicyProbe, PolicyQuestion
from gateway.tasks import Tasks
from tests.identity.tokens import NOW, SECOND, USER

Fields = Sequence[tuple[bytes, bytes]]
SENT = ((b"Authorization", b"Bearer t"),)
ACME = "aa0e8400-e29b-41d4-a716-446655440005"
BETA = "bb0e8400-e29b-41d4-a716-446655440006"
READ = frozenset({"billing.read"})


def member(user: str = USER, *policies: str) -> dict[str, Any]:
    """A row as wacraft has it, hash and all."""
    return {"workspace_id": ACME, "user_id": user, "user": {"password": "$2a$14$hash"}, "policies": list(policies)}


def said(*rows: object) -> tuple[int, Fields, bytes]:
    return 200, (), json.dumps(rows).encode()


class Upstream:
    """Answers as it is told to; ``gate`` holds the answers back."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, dict[bytes, bytes]]] = []
        self.answer: tuple[int, Fields, bytes] | Exception = said(
            member("somebody", "billing.manage"), member(USER.upper(), "billing.read")
        )
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, path: bytes, headers: Fields) -> tuple[int, Fields, bytes]:
        self.asked.append((path, dict(headers)))
        answer = self.answer
        await self.gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


def caller(user: str | None = USER) -> Identified:
    return Identified(Principal("jwt", user))


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def probe(upstream: Upstream) -> PolicyProbe:
    return PolicyProbe(PolicyQuestion(), upstream, Tasks())


async def test_the_list_is_asked_for_with_the_callers_own_token(probe: PolicyProbe, upstream: Upstream) -> None:
    assert await probe.ask(caller(), SENT, ACME, NOW) == READ
    asked = {b"Authorization": b"Bearer t", b"X-Workspace-ID": ACME.encode()}
    assert upstream.asked == [(f"/workspace/{ACME}/member".encode(), asked)]


async def test_an_answer_counts_for_a_minute_for_that_user_and_workspace(
    probe: PolicyProbe, upstream: Upstream
) -> None:
    await probe.ask(caller(), SENT, ACME, NOW)
    upstream.answer = said(member(USER))
    assert await probe.ask(caller(), SENT, ACME, NOW + 60 * SECOND - 1) == READ
    assert await probe.ask(caller(), SENT, BETA, NOW) == frozenset()
    assert await probe.ask(caller("somebody"), SENT, ACME, NOW) == frozenset(), "who is not in the list may nothing"
    assert await probe.ask(caller(), SENT, ACME, NOW + 60 * SECOND) == frozenset()


async def test_a_refusal_is_relayed_and_takes_back_what_was_known(probe: PolicyProbe, upstream: Upstream) -> None:
    await probe.ask(caller(), SENT, ACME, NOW)
    upstream.answer = (403, ((b"Content-Type", b"application/json"), (b"Set-Cookie", b"x")), b"{}")
    assert await probe.ask(caller(), SENT, ACME, NOW + 61 * SECOND) == Relayed(
        403, ((b"Content-Type", b"application/json"),), b"{}"
    )
    upstream.answer = OSError()
    with pytest.raises(StoreUnavailable):
        await probe.ask(caller(), SENT, ACME, NOW + 62 * SECOND)


@pytest.mark.parametrize(
    "answer",
    [
        OSError(),
        TimeoutError(),
        BadGateway("away"),
        (500, (), b""),
        (302, (), b""),
        (200, (), b""),
        (200, (), b"{}"),
        (200, (), b"[1]"),
        (200, (), b'[{"user_id": 5}]'),
        (200, (), b"[" * 100_000),
        said({**member(USER), "policies": None}),
    ],
)
async def test_what_is_no_answer_is_never_a_yes(
    probe: PolicyProbe, upstream: Upstream, answer: tuple[int, Fields, bytes] | Exception
) -> None:
    good, upstream.answer = upstream.answer, answer
    with pytest.raises(StoreUnavailable):
        await probe.ask(caller(), SENT, ACME, NOW)
    upstream.answer = good
    await probe.ask(caller(), SENT, ACME, NOW)
    upstream.answer = answer
    assert await probe.ask(caller(), SENT, ACME, NOW + 299 * SECOND) == READ, "the last word counts for a while"
    with pytest.raises(StoreUnavailable):
        await probe.ask(caller(), SENT, ACME, NOW + 300 * SECOND)


async def test_nobody_asks_without_a_user_or_a_credential_of_their_own(probe: PolicyProbe, upstream: Upstream) -> None:
    assert await probe.ask(caller(None), SENT, ACME, NOW) is None
    assert await probe.ask(caller(), (), ACME, NOW) is None
    assert upstream.asked == []


@pytest.mark.parametrize("id_", ["..", "a/b", "a%2fb", "a?b", "a#b", "a;b", "a\\b"])
async def test_an_id_that_could_climb_out_of_its_place_is_not_asked_about(
    probe: PolicyProbe, upstream: Upstream, id_: str
) -> None:
    assert await probe.ask(caller(), SENT, id_, NOW) is None
    assert upstream.asked == []


async def test_one_question_at_a_time_and_not_too_many(probe: PolicyProbe, upstream: Upstream) -> None:
    upstream.gate.clear()
    same = [asyncio.create_task(probe.ask(caller(), SENT, ACME, NOW)) for _ in range(5)]
    await asyncio.sleep(0)
    upstream.gate.set()
    assert await asyncio.gather(*same) == [READ] * 5
    assert len(upstream.asked) == 1
    others = [await _outcome(probe, f"w{number}") for number in range(40)]
    refused = [said for said in others if said != "answered"]
    assert len(refused) == 40 - 29, "30 a minute"
    assert all("too many different workspaces in a minute" in said for said in refused), "in words that people know"


async def _outcome(probe: PolicyProbe, workspace: str) -> str:
    try:
        await probe.ask(caller(), SENT, workspace, NOW)
    except TooManyQuestions as problem:
        return problem.message
    return "answered"


async def test_what_was_asked_before_forgetting_is_not_kept(probe: PolicyProbe, upstream: Upstream) -> None:
    upstream.gate.clear()
    asking = asyncio.create_task(probe.ask(caller(), SENT, ACME, NOW))
    while not upstream.asked:
        await asyncio.sleep(0)
    probe.forget()
    upstream.gate.set()
    assert await asking == READ
    await probe.ask(caller(), SENT, ACME, NOW)
    assert len(upstream.asked) == 2
