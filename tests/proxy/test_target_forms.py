"""The four forms of a request target (RFC 9112, 3.2): what the upstream sees of each, and what does not pass."""

import pytest

from gateway.core.forwarding import Forwarding
from gateway.core.target import PROFILES
from tests.fakes.upstream import Conversation, ScriptedUpstream, upstream
from tests.proxy.conftest import StartGateway

FIBER = PROFILES["fiber"]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Seen:
    """The heads that came to an upstream, as lines."""

    def __init__(self) -> None:
        self.heads: list[list[bytes]] = []

    async def __call__(self, talk: Conversation) -> None:
        """Answer every request."""
        while True:
            self.heads.append((await talk.head()).split(b"\r\n"))
            await talk.send(OK)

    def fields(self, name: bytes) -> list[bytes]:
        """The values of a field, of all heads."""
        lines = [line.partition(b": ") for head in self.heads for line in head[1:]]
        return [value for field, _, value in lines if field.lower() == name]

    @property
    def lines(self) -> list[bytes]:
        return [head[0] for head in self.heads]


@pytest.fixture
def seen() -> Seen:
    return Seen()


ABSOLUTE = {
    b"GET http://shop.example/a/b?c": (b"GET /a/b?c", b"shop.example"),
    b"POST HTTP://Shop.Example:8081/A//b": (b"POST /A//b", b"Shop.Example:8081"),
    b"GET https://shop.example/a": (b"GET /a", b"shop.example"),
    b"GET http://[::1]:80/": (b"GET /", b"[::1]:80"),
    b"GET http://192.0.2.1": (b"GET /", b"192.0.2.1"),
    b"GET http://shop.example:": (b"GET /", b"shop.example:"),
    b"HEAD http://shop.example?u=http://x/y": (b"HEAD /?u=http://x/y", b"shop.example"),
    b"GET http://shop.example/http://x/y": (b"GET /http://x/y", b"shop.example"),
    b"OPTIONS http://shop.example/": (b"OPTIONS /", b"shop.example"),
    # RFC 9112, 3.2.4: the last proxy turns a URL without path and query into an asterisk.
    b"OPTIONS http://shop.example:81": (b"OPTIONS *", b"shop.example:81"),
    b"OPTIONS http://shop.example?": (b"OPTIONS /?", b"shop.example"),
}


@pytest.mark.parametrize("line", ABSOLUTE, ids=bytes.decode)
@pytest.mark.parametrize("host", [b"other.example", b"shop.example", b""], ids=["another", "the same", "empty"])
async def test_a_url_becomes_a_path_and_its_authority_the_host(
    start_gateway: StartGateway, seen: Seen, line: bytes, host: bytes
) -> None:
    async with upstream(seen) as up:
        gateway = await start_gateway(up.url, profile=FIBER, forwarding=Forwarding())
        answer = await gateway.exchange(b"%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (line, host))
    forwarded, authority = ABSOLUTE[line]
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert seen.lines == [forwarded + b" HTTP/1.1"]
    assert seen.fields(b"host") == seen.fields(b"x-forwarded-host") == [authority]


async def test_http_1_0_needs_no_host_beside_a_url(start_gateway: StartGateway, seen: Seen) -> None:
    async with upstream(seen) as up:
        gateway = await start_gateway(up.url, profile=FIBER, forwarding=Forwarding())
        await gateway.exchange(b"GET http://shop.example/a HTTP/1.0\r\n\r\n")
    assert seen.lines == [b"GET /a HTTP/1.1"]
    assert seen.fields(b"host") == seen.fields(b"x-forwarded-host") == [b"shop.example"]


async def test_an_upstream_that_gets_a_host_of_its_own_is_told_the_urls(
    start_gateway: StartGateway, seen: Seen
) -> None:
    wire = b"GET http://shop.example:81/a HTTP/1.1\r\nHost: other.example\r\nX-Forwarded-Host: forged.example\r\n\r\n"
    async with upstream(seen) as up:
        for style in ("x-forwarded", "forwarded"):
            gateway = await start_gateway(up.url, profile=FIBER, forwarding=Forwarding(style=style, host=b"inner"))
            await gateway.exchange(wire)
    assert seen.fields(b"host") == [b"inner", b"inner"]
    assert seen.fields(b"x-forwarded-host") == [b"shop.example:81"]
    assert seen.fields(b"forwarded") == [b'for=127.0.0.1;proto=http;host="shop.example:81"']


async def test_each_request_of_a_connection_has_its_own_authority(start_gateway: StartGateway, seen: Seen) -> None:
    hosts = [b"a.example", b"b.example", b"c.example", b"a.example"]
    async with upstream(seen) as up:
        gateway = await start_gateway(up.url, profile=FIBER, forwarding=Forwarding())
        client = await gateway.connect()
        for target in (b"http://a.example/", b"http://b.example/", b"/", b"http://a.example/"):
            await client.send(b"GET %b HTTP/1.1\r\nHost: c.example\r\n\r\n" % target)
            await client.head()
            await client.exactly(2)
    assert seen.fields(b"host") == seen.fields(b"x-forwarded-host") == hosts


async def test_a_websocket_may_be_asked_for_by_url(start_gateway: StartGateway) -> None:
    heads: list[bytes] = []

    async def script(talk: Conversation) -> None:
        heads.append(await talk.head())
        await talk.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")

    async with upstream(script) as up:
        gateway = await start_gateway(up.url, profile=FIBER)
        client = await gateway.connect()
        await client.send(
            b"GET http://shop.example/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert await client.exactly(5) == b"hello"
    assert heads[0].startswith(b"GET /live HTTP/1.1\r\nHost: shop.example\r\n")


async def test_options_can_ask_about_the_whole_server(start_gateway: StartGateway, seen: Seen) -> None:
    async with upstream(seen) as up:
        gateway = await start_gateway(up.url, profile=FIBER)
        answer = await gateway.exchange(b"OPTIONS * HTTP/1.1\r\nHost: shop.example\r\nMax-Forwards: 3\r\n\r\n")
    assert answer.endswith(b"ok")
    assert seen.lines == [b"OPTIONS * HTTP/1.1"]
    assert seen.fields(b"host") == [b"shop.example"]


REFUSED = {
    # A tunnel: authority-form and whatever else CONNECT is sent with.
    b"CONNECT shop.example:443": 501,
    b"CONNECT shop.example": 501,
    b"CONNECT /a": 501,
    b"CONNECT http://shop.example/": 501,
    # Authority-form and asterisk-form with other methods.
    b"GET shop.example:443": 400,
    b"GET *": 400,
    b"POST *": 400,
    b"OPTIONS *?a": 400,
    b"OPTIONS **": 400,
    b"OPTIONS */a": 400,
    # RFC 9110, 4.2.4: a user in a URL is treated as an error.
    b"GET http://user@shop.example/": 400,
    b"GET http://user:secret@shop.example/": 400,
    b"GET http://shop.example@evil.example/": 400,
    b"GET http://@shop.example/": 400,
    # RFC 9112, 3.2: no form has a fragment.
    b"GET /a#b": 400,
    b"GET /a?b#c": 400,
    b"GET /#": 400,
    b"GET http://shop.example/a#b": 400,
    b"GET http://shop.example#b": 400,
    b"OPTIONS *#b": 400,
    # No authority, or none that a Host could say.
    b"GET http:///a": 400,
    b"GET http://": 400,
    b"GET http:/a": 400,
    b"GET http:a": 400,
    b"GET http://shop.example:port/": 400,
    b"GET http://:80/": 400,
    b"GET http://[::1/": 400,
    b"GET http://shop.example,evil.example:80:81/": 400,
    b"GET http://sh%6Fp.example/": 400,
    b"GET http://shop.example\\@evil.example/": 400,
    # Not for an HTTP server.
    b"GET ftp://shop.example/a": 400,
    b"GET ws://shop.example/a": 400,
    b"GET //shop.example/a": 400,
    b"GET http://shop.example//evil.example/a": 400,
    b"GET a/b": 400,
    b"GET ?a": 400,
}


@pytest.mark.parametrize("line", REFUSED, ids=bytes.decode)
async def test_what_is_no_target_of_this_server_is_refused_and_goes_nowhere(
    start_gateway: StartGateway, seen: Seen, line: bytes
) -> None:
    async with upstream(seen) as up:
        answer = await refusal(start_gateway, up, b"%b HTTP/1.1\r\nHost: shop.example\r\n\r\n" % line)
    assert answer.startswith(b"HTTP/1.1 %d " % REFUSED[line])
    assert b"secret" not in answer
    assert b"evil" not in answer


@pytest.mark.parametrize(
    "fields",
    [b"", b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n", b"Host: user@a\r\n", b"Host: a/b\r\n"],
    ids=["none", "two", "a space", "a user", "a path"],
)
@pytest.mark.parametrize("target", [b"/", b"http://shop.example/", b"*"], ids=bytes.decode)
async def test_no_form_excuses_a_wrong_host(
    start_gateway: StartGateway, seen: Seen, target: bytes, fields: bytes
) -> None:
    async with upstream(seen) as up:
        answer = await refusal(start_gateway, up, b"OPTIONS %b HTTP/1.1\r\n%b\r\n" % (target, fields))
    assert answer.startswith(b"HTTP/1.1 400 ")


async def refusal(start_gateway: StartGateway, up: ScriptedUpstream, wire: bytes) -> bytes:
    """What is said to ``wire``; the upstream has not heard of it."""
    gateway = await start_gateway(up.url, profile=FIBER)
    answer = await gateway.exchange(wire)
    assert up.conversations == []
    return answer
