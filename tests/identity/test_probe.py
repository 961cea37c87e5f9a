import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.core.principal import Principal
from gateway.core.problems import BadGateway, Forbidden, StoreUnavailable, TooManyQuestions
from gateway.identity.config import Identified
from gateway.identity.credential import Credential
from gateway.identity.membership import Relayed
from gateway.identity.probe import ByProbe, Question
from gateway.tasks import Tasks
from tests.identity.tokens import NOW, OTHER, SECOND, USER, WORKSPACE

Fields = Sequence[tuple[bytes, bytes]]
REFUSAL = b'{"message":"Email verification required"}'


class Upstream:
    """Answers ``GET /workspace/{id}`` as it is told to; ``gate`` holds the answers back."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, dict[bytes, bytes]]] = []
        self.answer: tuple[int, Fields, bytes] | Exception = (200, (), b"{}")
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()
        self.running = self.peak = 0

    async def __call__(self, path: bytes, headers: Fields) -> tuple[int, Fields, bytes]:
        self.asked.append((path, dict(headers)))
        self.running += 1
        self.peak = max(self.peak, self.running)
        self.arrived.set()
        answer = self.answer
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


SENT = ((b"Authorization", b"Bearer t"),)


def caller(user: str | None = USER, **credential: Any) -> Identified:
    return Identified(Principal("jwt", user), credential=Credential(proof="jwt", user=user, **credential))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def probe(upstream: Upstream) -> ByProbe:
    return ByProbe(Question(per_user=3, per_user_minute=50), upstream, Tasks())


async def test_the_upstream_is_asked_with_the_callers_own_token_and_the_header(
    probe: ByProbe, upstream: Upstream
) -> None:
    assert probe.known(caller(), WORKSPACE, NOW) is None
    assert await probe.ask(caller(), SENT, WORKSPACE, NOW) is None
    path = b"/workspace/" + WORKSPACE.encode()
    assert upstream.asked == [(path, {b"Authorization": b"Bearer t", b"X-Workspace-ID": WORKSPACE.encode()})]


async def test_an_id_stays_in_its_place_in_the_path(probe: ByProbe, upstream: Upstream) -> None:
    await probe.ask(caller(), SENT, "team é:7@x", NOW)
    assert upstream.asked[0][0] == b"/workspace/team%20%C3%A9%3A7%40x"


@pytest.mark.parametrize("id_", [".", "..", "...", "../user", "a/b", "a%2fb", "a\\b", "a?b", "a#b", "a;b", "%2e%2e"])
async def test_an_id_that_could_climb_out_of_its_place_belongs_to_nobody(
    probe: ByProbe, upstream: Upstream, id_: str
) -> None:
    """``/workspace/..`` may be ``/``, which answers everybody: each such id would be a workspace with a free plan."""
    with pytest.raises(Forbidden, match="not a member"):
        await probe.ask(caller(), SENT, id_, NOW)
    assert probe.known(caller(), id_, NOW) is None
    assert upstream.asked == []


async def test_yes_counts_for_a_minute_for_this_user_and_workspace_alone(probe: ByProbe, upstream: Upstream) -> None:
    await probe.ask(caller(), SENT, WORKSPACE, NOW)
    assert probe.known(caller(), WORKSPACE, NOW + 60 * SECOND - 1) is True
    assert await probe.ask(caller(), ((b"Authorization", b"Bearer another"),), WORKSPACE, NOW + 1) is None
    assert len(upstream.asked) == 1
    assert probe.known(caller(), WORKSPACE, NOW + 60 * SECOND) is None
    assert probe.known(caller(), WORKSPACE, NOW - 1) is None
    assert probe.known(caller("somebody"), WORKSPACE, NOW) is None
    assert probe.known(caller(), OTHER, NOW) is None


@pytest.mark.parametrize("status", [403, 404])
async def test_no_counts_for_a_minute_and_is_relayed_as_it_came(
    status: int, probe: ByProbe, upstream: Upstream
) -> None:
    fields = ((b"Content-Type", b"application/json"), (b"Set-Cookie", b"a=b"), (b"Date", b"now"))
    upstream.answer = (status, fields, REFUSAL)
    expected = Relayed(status, fields[:1], REFUSAL)
    assert await probe.ask(caller(), SENT, WORKSPACE, NOW) == expected
    assert probe.known(caller(), WORKSPACE, NOW + 60 * SECOND - 1) is False
    assert await probe.ask(caller(), SENT, WORKSPACE, NOW + 60 * SECOND - 1) == expected
    assert len(upstream.asked) == 1
    upstream.answer = (200, (), b"")
    assert await probe.ask(caller(), SENT, WORKSPACE, NOW + 60 * SECOND) is None
    assert probe.known(caller(), WORKSPACE, NOW + 60 * SECOND) is True


@pytest.mark.parametrize(
    ("field", "body", "said"),
    [
        ("name", b'{"id":"%b","name":" Acme\\u0000 Ltd "}' % WORKSPACE.upper().encode(), ["Acme Ltd"]),
        ("data.title", b'{"data":{"title":"Acme"}}', ["Acme"]),
        ("name", b'{"name":"%b"}' % (b"a" * 300), ["a" * 255]),
        ("name", b'{"id":"%b","name":"Another"}' % OTHER.encode(), []),
        ("name", b'{"name":7}', []),
        ("name", b'{"name":" "}', []),
        ("name", b'["name"]', []),
        ("name", b"<html>", []),
        ("name", b"", []),
        (None, b'{"name":"Acme"}', []),
    ],
)
async def test_a_yes_may_say_what_the_workspace_is_called(
    field: str | None, body: bytes, said: list[str], upstream: Upstream
) -> None:
    heard: list[tuple[str, str]] = []
    probe = ByProbe(Question(name=field), upstream, Tasks(), lambda *pair: heard.append(pair))
    upstream.answer = (200, (), body)
    assert await probe.ask(caller(), SENT, WORKSPACE, NOW) is None
    assert heard == [(WORKSPACE, name) for name in said]


async def test_a_refusal_calls_nobody_anything(upstream: Upstream) -> None:
    heard: list[tuple[str, str]] = []
    probe = ByProbe(Question(), upstream, Tasks(), lambda *pair: heard.append(pair))
    upstream.answer = (403, (), b'{"name":"Acme"}')
    assert isinstance(await probe.ask(caller(), SENT, WORKSPACE, NOW), Relayed)
    assert heard == []


async def test_a_no_ends_a_yes(probe: ByProbe, upstream: Upstream) -> None:
    await probe.ask(caller(), SENT, WORKSPACE, NOW)
    upstream.answer = (403, (), b"")
    await probe.ask(caller(), SENT, WORKSPACE, NOW + 60 * SECOND)
    upstream.answer = OSError()
    with pytest.raises(StoreUnavailable):
        await probe.ask(caller(), SENT, WORKSPACE, NOW + 120 * SECOND)


@pytest.mark.parametrize("status", [400, 401, 408, 429, 431])
async def test_a_4xx_about_the_token_or_the_moment_is_relayed_and_not_kept(
    status: int, probe: ByProbe, upstream: Upstream
) -> None:
    upstream.answer = (status, (), b"no")
    assert await probe.ask(caller(), ((b"Authorization", b"Bearer bad"),), WORKSPACE, NOW) == Relayed(status, (), b"no")
    assert probe.known(caller(), WORKSPACE, NOW) is None
    upstream.answer = (200, (), b"")
    assert await probe.ask(caller(), SENT, WORKSPACE, NOW) is None


async def test_a_long_refusal_is_relayed_and_not_kept(probe: ByProbe, upstream: Upstream) -> None:
    upstream.answer = (403, (), b"x" * 5_000)
    answer = await probe.ask(caller(), SENT, WORKSPACE, NOW)
    assert answer is not None
    assert len(answer.body) == 5_000
    assert probe.known(caller(), WORKSPACE, NOW) is None


FAILURES = [
    (500, (), b""),
    (503, (), b""),
    (302, (), b""),
    OSError(),
    TimeoutError(),
    BadGateway("down"),
]


@pytest.mark.parametrize("failure", FAILURES)
async def test_without_an_answer_nobody_knows_and_nothing_is_kept(
    failure: Any, probe: ByProbe, upstream: Upstream
) -> None:
    upstream.answer = failure
    with pytest.raises(StoreUnavailable) as caught:
        await probe.ask(caller(), SENT, WORKSPACE, NOW)
    assert caught.value.status == 503
    assert caught.value.headers == ((b"Retry-After", b"1"),)
    assert probe.known(caller(), WORKSPACE, NOW) is None
    upstream.answer = (200, (), b"")
    assert await probe.ask(caller(), SENT, WORKSPACE, NOW) is None


@pytest.mark.parametrize("failure", FAILURES)
async def test_without_an_answer_the_last_yes_counts_for_an_hour(
    failure: Any, probe: ByProbe, upstream: Upstream
) -> None:
    await probe.ask(caller(), SENT, WORKSPACE, NOW)
    upstream.answer = failure
    later = NOW + 3_600 * SECOND - 1
    assert await probe.ask(caller(), SENT, WORKSPACE, later) is None
    assert probe.known(caller(), WORKSPACE, later) is True
    assert probe.known(caller(), WORKSPACE, later + SECOND) is None
    with pytest.raises(StoreUnavailable):
        await probe.ask(caller(), SENT, WORKSPACE, NOW + 3_600 * SECOND + SECOND)


async def test_an_upstream_that_hangs_is_given_up(upstream: Upstream) -> None:
    upstream.gate.clear()
    probe = ByProbe(Question(timeout_us=1), upstream, Tasks())
    with pytest.raises(StoreUnavailable):
        await probe.ask(caller(), SENT, WORKSPACE, NOW)


async def test_many_at_once_ask_once(probe: ByProbe, upstream: Upstream) -> None:
    answers = await asyncio.gather(*(probe.ask(caller(), SENT, WORKSPACE, NOW) for _ in range(100)))
    assert answers == [None] * 100
    assert len(upstream.asked) == 1


async def test_a_bad_token_answers_for_nobody_elses(probe: ByProbe, upstream: Upstream) -> None:
    upstream.gate.clear()
    upstream.answer = (401, (), b"")
    bad = asyncio.gather(probe.ask(caller(), ((b"Authorization", b"Bearer bad"),), WORKSPACE, NOW))
    await settle()
    upstream.answer = (200, (), b"")
    good = asyncio.gather(probe.ask(caller(), SENT, WORKSPACE, NOW))
    await settle()
    upstream.gate.set()
    assert [*await bad] == [Relayed(401, (), b"")]
    assert [*await good] == [None]


async def test_a_caller_that_leaves_takes_the_answer_from_nobody(probe: ByProbe, upstream: Upstream) -> None:
    upstream.gate.clear()
    leaves = asyncio.gather(probe.ask(caller(), SENT, WORKSPACE, NOW))
    stays = asyncio.gather(probe.ask(caller(), SENT, WORKSPACE, NOW))
    await upstream.arrived.wait()
    leaves.cancel()
    await settle()
    upstream.gate.set()
    assert [*await stays] == [None]
    assert len(upstream.asked) == 1


async def test_one_user_has_few_questions_at_once_and_leaves_room_for_others(
    probe: ByProbe, upstream: Upstream
) -> None:
    upstream.gate.clear()
    waiting = asyncio.gather(*(probe.ask(caller(), SENT, f"w{number}", NOW) for number in range(3)))
    await settle()
    with pytest.raises(TooManyQuestions, match="too many different workspaces at once") as refused:
        await probe.ask(caller(), SENT, "w3", NOW)
    assert refused.value.headers == ((b"Retry-After", b"1"),)
    other = asyncio.gather(probe.ask(caller("other"), SENT, "w3", NOW))
    upstream.gate.set()
    assert await waiting == [None] * 3
    assert [*await other] == [None]
    assert await probe.ask(caller(), SENT, "w3", NOW) is None


async def test_one_user_has_few_questions_a_minute(upstream: Upstream) -> None:
    probe = ByProbe(Question(per_user_minute=5), upstream, Tasks())
    upstream.answer = (404, (), b"")
    for number in range(5):
        await probe.ask(caller(), SENT, f"w{number}", NOW)
    with pytest.raises(TooManyQuestions, match="too many different workspaces in a minute") as refused:
        await probe.ask(caller(), SENT, "w5", NOW + 7 * SECOND - 1)
    assert (refused.value.status, refused.value.headers) == (429, ((b"Retry-After", b"54"),))
    assert await probe.ask(caller("other"), SENT, "w5", NOW) is not None
    with pytest.raises(TooManyQuestions):
        await probe.ask(caller(), SENT, "w5", NOW + 60 * SECOND - 1)
    assert await probe.ask(caller(), SENT, "w5", NOW + 60 * SECOND) is not None, "as it was told"


async def test_the_upstream_sees_few_questions_at_once(upstream: Upstream) -> None:
    probe = ByProbe(Question(at_once=4, waiting=10), upstream, Tasks())
    upstream.gate.clear()
    asking = asyncio.gather(*(probe.ask(caller(f"u{number}"), SENT, "w", NOW) for number in range(14)))
    await settle()
    assert upstream.peak == 4
    with pytest.raises(StoreUnavailable, match="Too many workspaces"):
        await probe.ask(caller("one more"), SENT, "w", NOW)
    upstream.gate.set()
    assert await asking == [None] * 14
    assert upstream.peak == 4


async def test_ids_tried_at_random_push_out_nobodys_yes(upstream: Upstream) -> None:
    probe = ByProbe(Question(entries=16, per_user_minute=1_000), upstream, Tasks())
    await probe.ask(caller(), SENT, WORKSPACE, NOW)
    upstream.answer = (404, (), b"")
    for number in range(100):
        await probe.ask(caller("mallory"), SENT, f"w{number}", NOW)
    assert probe.known(caller(), WORKSPACE, NOW) is True
    assert (len(probe._yes), len(probe._no)) == (1, 1)


async def test_forget_drops_answers_and_those_under_way(probe: ByProbe, upstream: Upstream) -> None:
    await probe.ask(caller(), SENT, OTHER, NOW)
    upstream.gate.clear()
    asking = asyncio.gather(probe.ask(caller(), SENT, WORKSPACE, NOW))
    await settle()
    probe.forget()
    again = asyncio.gather(probe.ask(caller(), SENT, WORKSPACE, NOW))
    await settle()
    upstream.gate.set()
    assert [*await asking] == [*await again] == [None]
    assert len(upstream.asked) == 3
    assert probe.known(caller(), OTHER, NOW) is None
    assert not probe._asking._flights
    assert not probe._asking._flying


async def test_an_answer_from_before_forget_is_not_kept(probe: ByProbe, upstream: Upstream) -> None:
    upstream.gate.clear()
    for answer in ((200, (), b""), (403, (), b"")):
        upstream.answer = answer
        asking = asyncio.gather(probe.ask(caller(), SENT, WORKSPACE, NOW))
        await settle()
        probe.forget()
        upstream.gate.set()
        await asking
        assert probe.known(caller(), WORKSPACE, NOW) is None
        upstream.gate.clear()


async def test_a_credential_bound_to_the_workspace_needs_no_question(probe: ByProbe, upstream: Upstream) -> None:
    bound = caller(None, workspace=WORKSPACE, bound=True)
    assert probe.known(bound, WORKSPACE, NOW) is True
    assert await probe.ask(bound, (), WORKSPACE, NOW) is None
    assert probe.known(bound, OTHER, NOW) is False
    with pytest.raises(Forbidden):
        await probe.ask(bound, (), OTHER, NOW)
    assert upstream.asked == []


async def test_who_has_nothing_to_ask_with_is_no_member(probe: ByProbe, upstream: Upstream) -> None:
    with pytest.raises(Forbidden):
        await probe.ask(caller(), (), WORKSPACE, NOW)
    assert upstream.asked == []


async def test_a_path_without_a_place_for_the_id_is_refused(upstream: Upstream) -> None:
    with pytest.raises(ValueError, match=r"\{id\}"):
        ByProbe(Question(path="/workspace"), upstream, Tasks())
