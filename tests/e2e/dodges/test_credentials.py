"""No spelling of a credential passes without a debit: the stand-in accepts nobody whom the gateway did not know."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.demo.data import ACME, ALICE, BOB
from tests.e2e.dodges.judge import judging, price
from tests.e2e.dodges.spellings import Fields
from tests.e2e.wire import request

WORDS = (
    *(
        "xBearer ",
        "xBearer",
        " Bearer  ",
        "bearer ",
        "BEARER ",
        "Bearer\t",
        "Basic x, Bearer ",
        "Token ",
        "",
        "Bearer: ",
    ),
    *("Bearer Bearer ", "Bearer x,Bearer ", '"Bearer ', "Bearer\xa0", "JWT x Bearer ", "Negotiate Bearer "),
)
TAILS = (" ", ",", ";", " x", ", Bearer x", "Bearer ", "\t", "=", "%20", "\xa0")
NAMES = (
    *("authorization", "AUTHORIZATION", "Authorization_", "X-Authorization", "Proxy-Authorization"),
    *("Cookie", "X-API-Key"),
)
QUERY_NAMES = (
    *("Authorization", "%41uthorization", "authorization", "Authorization%20", "Authorization[]"),
    "+Authorization",
)


def authorizations(token: str, other: str) -> Iterator[Fields]:
    """A credential in other words, twice, under other names, beside another's."""
    good = f"Bearer {token}"
    yield from ((("Authorization", word + token),) for word in WORDS)
    yield from ((("Authorization", good + tail),) for tail in TAILS)
    yield from (((name, good),) for name in NAMES)
    yield from (((name, good), ("Authorization", f"Bearer {other}")) for name in NAMES)
    yield from ((("Authorization", f"Bearer {other}"), (name, good)) for name in NAMES)
    yield from [(("Authorization", ""), ("Authorization", good)), (("Authorization", good),) * 2]
    yield (("Authorization", good), ("Connection", "authorization"))
    yield (("Authorization ", good),)
    yield (("Authorization", f"\r\n {good}"),)


async def test_every_spelling_of_a_credential_is_debited_or_does_not_pass(tmp_path: Path) -> None:
    workspace = ("X-Workspace-ID", ACME.id)
    async with judging(tmp_path) as judge:
        token, other = (judge.here.backend.token(user) for user in (ALICE, BOB))
        passed = 0
        for fields in authorizations(token, other):
            answer, arrived, debited = await judge.send(request(b"/contact", [workspace, *fields]))
            said = " ".join(f"{name}: {value}" for name, value in fields).replace(token, "<token>")
            assert debited == price(arrived), said
            assert answer.status in ({200, 400} if debited else {400, 401}), said
            passed += answer.status == 200
        assert passed > 2


@pytest.mark.parametrize(
    "path", ["/websocket/message/new", "/WebSocket/message/NEW/", "/websocket/message/new/nothing"]
)
async def test_a_websocket_whose_query_holds_the_credential_is_debited_or_refused(tmp_path: Path, path: str) -> None:
    async with judging(tmp_path) as judge:
        good = f"Bearer+{judge.here.backend.token(ALICE)}"
        values = (good, f"x{good}", good.replace("+", "%20"), f"{good}&Authorization=x", f"x&Authorization={good}")
        passed = 0
        for query in (f"{name}={value}&workspace_id={ACME.id}" for name in QUERY_NAMES for value in values):
            before, debited = judge.arrived, judge.debited
            status = await handshake(judge.here.url, f"{path}?{query}")
            accepted = [seen for seen in judge.since(before) if seen.user is not None]
            assert judge.debited - debited == price(accepted), query
            assert accepted or status in {400, 401}, (query, status)
            passed += bool(accepted)
        assert passed > 1


async def handshake(url: str, target: str) -> int:
    """Ask for a WebSocket; the status of the answer."""
    fields = ["Host: a", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
    fields.append("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write("\r\n".join([f"GET {target} HTTP/1.1", *fields, "", ""]).encode())
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    return int(line.split()[1])
