import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.principal import Principal
from gateway.core.problems import BadGateway, StoreUnavailable, TooManyQuestions
from gateway.identity.config import Identified
from gateway.identity.membership import Relayed
from gateway.identity.profile_probe import Profile, ProfileProbe, ProfileQuestion
from gateway.tasks import Tasks
from tests.identity.tokens import NOW, SECOND, USER

Fields = Sequence[tuple[bytes, bytes]]
SENT = ((b"Authorization", b"Bearer t"),)
HASH = "$2a$14$abcdefghijklmnopqrstuv"
ADMIN = Profile(USER, "admin", email_verified=True, name="Ada")


def said(**changes: Any) -> bytes:
    """What wacraft answers to ``GET /user/me``."""
    user = {"id": USER, "name": "Ada", "email": "ada@example.com", "password": HASH, "role": "admin"}
    return json.dumps({**user, "email_verified": True, **changes}).encode()


class Upstream:
    """Answers as it is told to; ``gate`` holds the answers back."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, dict[bytes, bytes]]] = []
        self.answer: tuple[int, Fields, bytes] | Exception = (200, (), said())
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


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def probe(upstream: Upstream) -> ProfileProbe:
    return ProfileProbe(ProfileQuestion(), upstream, Tasks())


async def test_the_upstream_is_asked_with_the_callers_own_token(probe: ProfileProbe, upstream: Upstream) -> None:
    assert probe.known(caller(), NOW) is None
    assert await probe.ask(caller(), SENT, NOW) == ADMIN
    assert upstream.asked == [(b"/user/me", {b"Authorization": b"Bearer t"})]


async def test_the_answer_counts_for_a_minute_for_this_user_alone(probe: ProfileProbe, upstream: Upstream) -> None:
    await probe.ask(caller(), SENT, NOW)
    upstream.answer = (200, (), said(role="user", email_verified=False))
    assert await probe.ask(caller(), SENT, NOW + 60 * SECOND - 1) == probe.known(caller(), NOW + 1) == ADMIN
    assert len(upstream.asked) == 1
    assert probe.known(caller("somebody"), NOW) is None
    assert probe.known(caller(), NOW - 1) is None
    assert await probe.ask(caller(), SENT, NOW + 60 * SECOND) == replace(ADMIN, role="user", email_verified=False)


async def test_a_password_hash_is_kept_nowhere(probe: ProfileProbe) -> None:
    assert HASH.encode() in said()
    profile = await probe.ask(caller(), SENT, NOW)
    assert HASH not in repr(profile)
    assert HASH not in repr(list(probe._kept._kept.values()))


async def test_a_token_that_the_upstream_takes_for_somebody_elses_has_no_profile(
    probe: ProfileProbe, upstream: Upstream
) -> None:
    await probe.ask(caller(), SENT, NOW)
    upstream.answer = (200, (), said(id="bb0e8400-e29b-41d4-a716-446655440099"))
    assert await probe.ask(caller(), SENT, NOW + 60 * SECOND) is None
    upstream.answer = OSError()
    with pytest.raises(StoreUnavailable):  # not the last known one
        await probe.ask(caller(), SENT, NOW + 61 * SECOND)


async def test_an_id_spelt_in_another_way_is_the_same_user(probe: ProfileProbe, upstream: Upstream) -> None:
    upstream.answer = (200, (), said(id=USER.upper()))
    assert await probe.ask(caller(), SENT, NOW) == ADMIN


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
async def test_a_refusal_is_relayed_and_ends_what_was_known(
    status: int, probe: ProfileProbe, upstream: Upstream
) -> None:
    await probe.ask(caller(), SENT, NOW)
    upstream.answer = (status, ((b"Content-Type", b"text/plain"), (b"Set-Cookie", b"a=b")), b"no")
    expected = Relayed(status, ((b"Content-Type", b"text/plain"),), b"no")
    assert await probe.ask(caller(), SENT, NOW + 60 * SECOND) == expected
    upstream.answer = TimeoutError()
    with pytest.raises(StoreUnavailable):
        await probe.ask(caller(), SENT, NOW + 61 * SECOND)


NO_PROFILES = [
    (500, (), said()),
    (302, (), said()),
    (200, (), b"<html>"),
    (200, (), b"[" * 100_000),
    (200, (), b"\xff"),
    (200, (), b"[]"),
    (200, (), b'{"role":"admin"}'),
    (200, (), said(id=7)),
    OSError(),
    TimeoutError(),
    BadGateway("down"),
]


@pytest.mark.parametrize("answer", NO_PROFILES)
async def test_without_a_profile_nobody_knows(answer: Any, probe: ProfileProbe, upstream: Upstream) -> None:
    upstream.answer = answer
    with pytest.raises(StoreUnavailable, match="cannot be found out") as caught:
        await probe.ask(caller(), SENT, NOW)
    assert caught.value.headers == ((b"Retry-After", b"1"),)
    upstream.answer = (200, (), said())
    assert await probe.ask(caller(), SENT, NOW) == ADMIN


@pytest.mark.parametrize("answer", NO_PROFILES)
async def test_the_last_one_counts_for_five_minutes(answer: Any, probe: ProfileProbe, upstream: Upstream) -> None:
    await probe.ask(caller(), SENT, NOW)
    upstream.answer = answer
    assert await probe.ask(caller(), SENT, NOW + 300 * SECOND - 1) == ADMIN
    with pytest.raises(StoreUnavailable):
        await probe.ask(caller(), SENT, NOW + 300 * SECOND)


@pytest.mark.parametrize(("role", "verified"), [(None, "yes"), (7, 1), ("", False)])
async def test_what_is_not_a_role_or_a_plain_true_counts_for_nothing(
    role: Any, verified: Any, probe: ProfileProbe, upstream: Upstream
) -> None:
    upstream.answer = (200, (), said(role=role, email_verified=verified))
    expected = replace(ADMIN, role=role if isinstance(role, str) else None, email_verified=False)
    assert await probe.ask(caller(), SENT, NOW) == expected


async def test_who_has_no_name_goes_by_the_address(probe: ProfileProbe, upstream: Upstream) -> None:
    upstream.answer = (200, (), said(name=" "))
    assert await probe.ask(caller(), SENT, NOW) == replace(ADMIN, name="ada@example.com")
    upstream.answer = (200, (), said(name=None, email=["a"]))
    assert await probe.ask(caller(), SENT, NOW + 60 * SECOND) == replace(ADMIN, name=None)


async def test_many_at_once_ask_once(probe: ProfileProbe, upstream: Upstream) -> None:
    assert await asyncio.gather(*(probe.ask(caller(), SENT, NOW) for _ in range(100))) == [ADMIN] * 100
    assert len(upstream.asked) == 1


async def test_one_user_asks_a_bounded_number_of_times(upstream: Upstream) -> None:
    probe = ProfileProbe(ProfileQuestion(per_user=2, per_user_minute=3), upstream, Tasks())
    upstream.answer = (401, (), b"")
    upstream.gate.clear()
    waiting = asyncio.gather(*(probe.ask(caller(), ((b"Authorization", b"%d" % n),), NOW) for n in range(2)))
    await settle()
    with pytest.raises(TooManyQuestions, match="too many different credentials at once"):
        await probe.ask(caller(), SENT, NOW)
    upstream.gate.set()
    await waiting
    await probe.ask(caller(), SENT, NOW)
    with pytest.raises(TooManyQuestions, match="too many different credentials in a minute"):
        await probe.ask(caller(), SENT, NOW)
    assert len(upstream.asked) == 3


async def test_forget_drops_answers_and_those_under_way(probe: ProfileProbe, upstream: Upstream) -> None:
    upstream.gate.clear()
    asking = asyncio.gather(probe.ask(caller(), SENT, NOW))
    await settle()
    probe.forget()
    upstream.gate.set()
    assert [*await asking] == [ADMIN]
    assert probe.known(caller(), NOW) is None
    await probe.ask(caller(), SENT, NOW)
    probe.forget()
    assert probe.known(caller(), NOW) is None


async def test_who_has_nothing_to_ask_with_has_no_profile(probe: ProfileProbe, upstream: Upstream) -> None:
    assert await probe.ask(caller(), (), NOW) is None
    assert await probe.ask(caller(None), SENT, NOW) is None
    assert upstream.asked == []


async def test_a_path_that_is_none_is_refused(upstream: Upstream) -> None:
    with pytest.raises(ValueError, match="must start with /"):
        ProfileProbe(ProfileQuestion(path="user/me"), upstream, Tasks())
