"""What costs what when things fail (product.md 2.9), row by row: by the answer, and by the journal afterwards."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.costs import (
    ADDRESS,
    OK,
    USER,
    WORKSPACE,
    Upstream,
    deaf,
    down,
    plays,
    says,
    scene,
    told,
)
from tests.fakes.upstream import Conversation

COST, LEFT = b"X-Weighbridge-Cost", b"X-RateLimit-Remaining"


async def reset_at_once(talk: Conversation) -> None:
    await talk.head()
    talk.reset()


async def closed_at_once(talk: Conversation) -> None:
    await talk.head()


NOTHING_SENT = {"down": (down, 502, ""), "takes no connection": (deaf, 504, "connect_timeout: 150ms")}
SENT = {
    "reset before an answer": (plays(reset_at_once), 502, ""),
    "closed before an answer": (plays(closed_at_once), 502, ""),
    "half a head": (says(b"HTTP/1.1 200 OK\r\nContent-Le"), 502, ""),
    "not HTTP": (says(b"hello\r\n\r\n"), 502, ""),
    "silence": (plays(Conversation.until_lost), 504, "read_timeout: 150ms"),
}


@pytest.mark.parametrize(("where", "status", "more"), NOTHING_SENT.values(), ids=NOTHING_SENT)
async def test_a_request_of_which_nothing_was_sent_is_given_back(
    tmp_path: Path, where: Upstream, status: int, more: str
) -> None:
    async with scene(tmp_path, where, more=more) as here:
        head = await here.ask()
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert (told(head, COST), told(head, LEFT)) == (b"0", b"10")
    assert here.spent == {}


@pytest.mark.parametrize(("where", "status", "more"), SENT.values(), ids=SENT)
async def test_what_may_have_had_an_effect_is_charged(tmp_path: Path, where: Upstream, status: int, more: str) -> None:
    async with scene(tmp_path, where, more=more) as here:
        head = await here.ask()
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert (told(head, COST), told(head, LEFT)) == (b"3", b"7")
    assert here.spent == {WORKSPACE: 3}


@pytest.mark.parametrize(("where", "status", "more"), SENT.values(), ids=SENT)
@pytest.mark.parametrize("by", ["refund_on", "on_success"])
async def test_unless_the_rule_says_otherwise(tmp_path: Path, where: Upstream, status: int, more: str, by: str) -> None:
    rule = f"refund_on: [{status}]" if by == "refund_on" else "charge: on_success"
    async with scene(tmp_path, where, rule=rule, more=more) as here:
        head = await here.ask()
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert (told(head, COST), told(head, LEFT)) == (b"0", b"10")
    assert here.spent == {}


CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes!"


async def cut_off(talk: Conversation) -> None:
    await talk.head()
    await talk.send(CUT)
    await talk.exactly(1)  # until the client has its part
    talk.reset()


@pytest.mark.parametrize("rule", ["", "refund_on: [502, 504]", "charge: on_success"])
async def test_an_answer_cut_off_in_its_middle_is_charged_by_the_status_it_began_with(
    tmp_path: Path, rule: str
) -> None:
    async with scene(tmp_path, plays(cut_off), rule=rule) as here:
        client = await here.connect()
        await client.send(here.wire(("Content-Length", "1"), method="POST"))
        head = await client.head()
        assert told(head, COST) == b"3"
        await client.exactly(10)
        await client.send(b"!")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.exactly(90)
    assert here.spent == {WORKSPACE: 3}


ANSWERS = {
    "a failure": (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "", 3),
    "a failure that is free": (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "refund_on: [500, 503]", 0),
    "another failure": (b"HTTP/1.1 501 Oh\r\nContent-Length: 0\r\n\r\n", "refund_on: [500, 503]", 3),
    "a failure where success is charged": (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "charge: on_success", 0),
    "a success where success is charged": (OK, "charge: on_success", 3),
    "no content where that is free": (b"HTTP/1.1 204 No\r\n\r\n", "refund_on: [204]", 0),
    "a redirection": (b"HTTP/1.1 302 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "", 3),
    "a refused handshake": (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "", 3),
}


@pytest.mark.parametrize(("wire", "rule", "cost"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_is_charged_by_its_status(tmp_path: Path, wire: bytes, rule: str, cost: int) -> None:
    async with scene(tmp_path, says(wire), rule=rule) as here:
        head = await here.ask()
        assert head.split(b" ")[1] == wire.split(b" ")[1]
        assert (told(head, COST), told(head, LEFT)) == (b"%d" % cost, b"%d" % (10 - cost))
    assert here.spent == ({WORKSPACE: cost} if cost else {})


async def test_what_the_gateway_refuses_costs_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path, says(OK)) as here:
        assert (await here.ask(("Authorization", "twice"))).startswith(b"HTTP/1.1 400 ")
        assert (await here.ask(("Authorization", "Bearer x.y.z"), user=None)).startswith(b"HTTP/1.1 401 ")
        assert (await here.ask(("Connection", "x-workspace-id"))).startswith(b"HTTP/1.1 400 ")
        assert (await here.ask(("Transfer-Encoding", "gzip"), method="POST")).startswith(b"HTTP/1.1 501 ")
        preflight = (("Origin", "https://a"), ("Access-Control-Request-Method", "GET"))
        assert (await here.ask(*preflight, method="OPTIONS")).startswith(b"HTTP/1.1 200 ")
    assert here.spent == {}


async def test_a_refusal_for_want_of_budget_takes_nothing_from_anybody(tmp_path: Path) -> None:
    async with scene(tmp_path, says(OK)) as here:
        statuses = [(await here.ask()).split(b" ")[1] for _ in range(8)]
    assert statuses == [b"200"] * 6 + [b"429"] * 2
    # Three each from ten; one unit is left in either.
    assert here.spent == {WORKSPACE: 9, USER: 9}


async def test_what_is_given_back_goes_to_the_scope_that_paid(tmp_path: Path) -> None:
    answers = [OK] * 4 + [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"] * 3

    async def script(talk: Conversation) -> None:
        await talk.head()
        await talk.send(answers.pop(0))

    async with scene(tmp_path, plays(script), rule="refund_on: [503]") as here:
        heads = [await here.ask() for _ in range(7)]
    payers = [told(head, b"X-RateLimit-Scope") for head in heads]
    assert payers == [b"workspace"] * 3 + [b"user"] * 4
    assert [told(head, LEFT) for head in heads[3:]] == [b"7"] * 4
    assert here.spent == {WORKSPACE: 9, USER: 3}


async def test_a_body_that_turns_out_not_to_be_http_costs_nothing_if_nothing_was_sent(tmp_path: Path) -> None:
    async with scene(tmp_path, plays(Conversation.until_lost)) as here:
        client = await here.connect()
        await client.send(here.wire(("Transfer-Encoding", "chunked"), method="POST") + b"no chunk\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
    assert here.spent == {}


async def test_a_body_that_turns_bad_on_its_way_is_charged(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.head()
        arrived.set()
        await talk.until_lost()

    async with scene(tmp_path, plays(script)) as here:
        client = await here.connect()
        await client.send(here.wire(("Transfer-Encoding", "chunked"), method="POST") + b"3\r\nabc\r\n")
        await arrived.wait()
        await client.send(b"no chunk\r\n")
        head = await client.rest()
        assert head.startswith(b"HTTP/1.1 400 ")
        assert told(head, COST) == b"3"
    assert here.spent == {WORKSPACE: 3}


async def test_a_request_sent_again_over_a_new_connection_is_charged_once(tmp_path: Path) -> None:
    connections = 0

    async def script(talk: Conversation) -> None:
        nonlocal connections
        connections += 1
        await talk.head()
        await talk.send(OK)
        await talk.head()
        if connections > 1:
            await talk.send(OK)

    async with scene(tmp_path, plays(script)) as here:
        assert (await here.ask()).startswith(b"HTTP/1.1 200 ")
        # The kept connection dies under the second request, which is idempotent.
        assert (await here.ask()).startswith(b"HTTP/1.1 200 ")
        assert connections == 2
    assert here.spent == {WORKSPACE: 6}


@pytest.mark.parametrize(
    ("status", "rule", "units"),
    [
        (b"200", "", 3),
        (b"401", "", 3),
        (b"401", "charge: on_success", 0),
        (b"200", "charge: on_success", 3),
        (b"401", "refund_on: [401]", 0),
    ],
)
async def test_an_address_pays_for_a_stranger_as_the_rule_says(
    tmp_path: Path, status: bytes, rule: str, units: int
) -> None:
    wire = b"HTTP/1.1 %b X\r\nContent-Length: 0\r\n\r\n" % status
    async with scene(tmp_path, says(wire), rule=f"public: true, pays: [address], {rule}") as here:
        head = await here.ask(user=None)
        assert head.startswith(b"HTTP/1.1 %b " % status)
        assert told(head, COST) == b"%d" % units
    assert here.spent == ({ADDRESS: units} if units else {})
