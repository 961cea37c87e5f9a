"""No spelling is a discount: whatever reaches one handler costs the same, and nobody is served unweighed."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.demo.backend import Backend
from gateway.demo.data import ACME, ALICE, BOB
from gateway.server import start
from tests.e2e.wire import Answered, request, send
from tests.e2e.world import SECRET, World, world
from tests.e2e.world import settings as gateway_settings
from tests.fakes.upstream import Conversation, upstream

COSTS = {
    "GET /user/me": 2,
    "GET /workspace": 3,
    "GET /workspace/:workspace_id": 4,
    "GET /workspace/:workspace_id/member": 5,
    "GET /contact": 6,
    "POST /contact": 7,
    "GET /message": 8,
    "GET /message/content/like/:text": 9,
    "GET /message/content/:key/like/:text": 10,
    "POST /message/whatsapp": 11,
    "GET /status": 12,
    "POST /user/oauth/token": 13,
    "GET /media/whatsapp/:media_id": 14,
    "ANY /echo/**": 15,
    "ANY /bytes/:n": 16,
    "GET /websocket/message/new": 17,
}
"""Every handler has a cost of its own, so that a cost tells which rule was met. Others cost 1."""

RICH = """\
workspace: {membership: trust_clients, query: workspace_id}
defaults: {user: rich, workspace: null}
identity:
  jwt: {secret: "${JWT_SECRET}", query: Authorization}
ledger: "memory:"
plans:
  - {slug: rich, throughput_limit: 1000000000, window_seconds: 86400}
rules:
""" + "".join(
    f'  - {{method: {handler.split()[0]}, path: "{handler.split()[1]}", weight: {cost}}}\n'
    for handler, cost in COSTS.items()
)

PATHS = [
    "/user/me",
    "/workspace",
    f"/workspace/{ACME.id}",
    f"/workspace/{ACME.id}/member",
    "/contact",
    "/message",
    "/message/content/like/x",
    "/message/content/sender_data/like/x%20y",
    "/message/whatsapp",
    "/status",
    "/user/oauth/token",
    "/media/whatsapp/1013859600285441",
    "/echo",
    "/echo/a/b",
    "/bytes/3",
]


def flipped(path: str, at: Sequence[int]) -> str:
    return "".join(char.swapcase() if index in at else char for index, char in enumerate(path))


def encoded(path: str, at: Sequence[int], *, twice: bool, upper: bool) -> str:
    """Some characters percent-encoded, once or twice; slashes too."""
    escape = ("%{:02X}" if upper else "%{:02x}").format
    shown = [escape(ord(char)) if index in at else char for index, char in enumerate(path)]
    return "".join(piece.replace("%", "%25") if twice and len(piece) > 1 else piece for piece in shown)


ODD = [
    "/",
    "//",
    "/.",
    "/./",
    "/..",
    "/x/..",
    "/x/../",
    ";",
    ";a=b",
    "\\",
    "%5c",
    "%2f",
    "%2F",
    "%00",
    "%20",
    "%3b",
    ".",
    "%2e",
    "%2e%2e/",
    "?",
    "%3f",
    "&",
    ":",
    "@",
    "~",
    "+",
]
BEFORE = [
    "",
    "",
    "",
    "/",
    "//",
    "/.",
    "/x/..",
    "/%2e%2e",
    "//x",
    "//x/y?u=a://b",
    "http://api.example",
    "HTTP://h",
    "https://h:1",
    "http://h",
    "http://user@h",
    "ftp://h",
    "://",
    "x:",
]
Fields = tuple[tuple[str, str], ...]
QUERIES = [
    "",
    "",
    "?",
    "?a=1",
    "?u=a://b",
    "?u=//b/contact",
    "?/../contact",
    "?a;b",
    "#",
    "#?",
    "?x=%00",
    "?&&",
    "?x#y",
]
OVERRIDES = [
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Original-URL",
    "X-Rewrite-URL",
    "x_http_method_override",
    "X_Original_URL",
]


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, bytes, Fields]:
    """A method, a target and fields that some server might take for one of ``PATHS``."""
    path = draw(st.sampled_from(PATHS))
    places = st.lists(st.integers(0, len(path) - 1), max_size=4)
    path = flipped(path, draw(places))
    if draw(st.integers(0, 3)) == 0:
        path = encoded(path, draw(places), twice=draw(st.booleans()), upper=draw(st.booleans()))
    for at in draw(st.lists(st.integers(0, len(path)), max_size=2)):
        path = path[:at] + draw(st.sampled_from(ODD)) + path[at:]
    target = draw(st.sampled_from(BEFORE)) + path + draw(st.sampled_from(QUERIES))
    method = draw(
        st.sampled_from(["GET", "POST", "GET", "POST", "HEAD", "OPTIONS", "PUT", "get", "Post", "TRACE", "PROPFIND"])
    )
    fields = draw(st.lists(st.tuples(st.sampled_from(OVERRIDES), st.sampled_from(["GET", "post", *PATHS])), max_size=1))
    return method, target.encode("latin-1"), tuple(fields)


def by_hand() -> Iterator[bytes]:
    """Every oddity in every place of every path, one at a time, and some together."""
    for path in PATHS:
        yield from (spelled.encode("latin-1") for spelled in (path.upper(), path.title(), path + "/", path + "//"))
        for odd in ODD:
            places = [at for at, char in enumerate(path) if char == "/"][-2:]
            for at in (*places, *(place + 1 for place in places), len(path)):
                yield (path[:at] + odd + path[at:]).encode("latin-1")
        for at in (1, 3, len(path) - 1):
            for twice in (False, True):
                yield encoded(path, [at], twice=twice, upper=at == 1).encode("latin-1")
        yield encoded(path, range(1, len(path)), twice=False, upper=True).encode("latin-1")
        yield from ((before + path).encode("latin-1") for before in BEFORE)
        yield from ((path + query).encode("latin-1") for query in QUERIES)


class Watch:
    """Sends spellings and holds what arrived against what was debited."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.who = [*here.headers(ALICE, ACME.id).items()]

    @property
    def debited(self) -> int:
        metrics = self.here.gateway.metrics
        return sum(metrics.units.values()) - sum(metrics.refunded_units.values())

    async def send(self, wire: bytes) -> tuple[Answered, list[tuple[str, str | None]], int]:
        """The answer, what it made the backend do (handler and accepted user), and what was debited."""
        requests = self.here.backend.requests
        before, arrived = self.debited, len(requests)
        answer = await send(self.here.url, wire)
        served = [(seen.handler, seen.user) for seen in list(requests)[arrived:]]
        return answer, served, self.debited - before

    async def judge(self, method: str, target: bytes, fields: Sequence[tuple[str, str]]) -> Answered:
        """Send one spelling; whatever it reached was paid for at that handler's cost."""
        body = b"{}" if method.upper() == "POST" else b""
        answer, served, debited = await self.send(request(target, [*self.who, *fields], method, body))
        assert len(served) <= 1, (method, target, served)
        if not served:
            assert debited == 0 or answer.status >= 500, (method, target, answer.status, debited)
        for handler, _user in served:
            expected = COSTS.get(handler, 1)
            assert debited == expected, (method, target, handler, debited)
            assert answer.get("X-Weighbridge-Cost") == str(expected), (method, target, handler)
        return answer


@asynccontextmanager
async def watched(folder: Path, yaml: str = RICH) -> AsyncIterator[Watch]:
    async with world(folder, yaml, backend=Backend(jwt_secret=SECRET, send_delay_s=0.0, login_limit=10**9)) as here:
        yield Watch(here)


@given(batch=st.lists(spellings(), min_size=30, max_size=60))
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
async def test_made_up_spellings_that_reach_one_handler_cost_the_same(
    tmp_path_factory: pytest.TempPathFactory, batch: list[tuple[str, bytes, Fields]]
) -> None:
    async with watched(tmp_path_factory.mktemp("dodges")) as watch:
        for method, target, fields in batch:
            await watch.judge(method, target, fields)


async def test_known_spellings_that_reach_one_handler_cost_the_same(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        reached = [await watch.judge(method, target, ()) for target in by_hand() for method in ("GET", "POST")]
        reached += [
            await watch.judge(method, path.encode(), ((name, value),))
            for path in ("/contact", "/bytes/3")
            for method in ("GET", "POST")
            for name in OVERRIDES
            for value in ("POST", "get", "/bytes/3", "/contact", "/Billing/plan")
        ]
        statuses = Counter(answer.status for answer in reached)
        # Spellings were served, refused by the upstream and refused here: all three were tried.
        assert min(statuses[200], statuses[404], statuses[400]) > 100, statuses


@pytest.mark.parametrize("method", ["PROPFIND", "get", "Get", "POST\t", "CONNECT", "G-ET", "PRI"])
async def test_a_method_in_another_case_or_of_another_protocol_is_never_cheaper(tmp_path: Path, method: str) -> None:
    async with watched(tmp_path) as watch:
        await watch.judge(method, b"/contact", ())
        await watch.judge(method, b"/echo", ())


async def test_head_costs_what_get_costs_and_options_is_metered(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        assert (await watch.judge("HEAD", b"/CONTACT/", ())).get("X-Weighbridge-Cost") == "6"
        assert (await watch.judge("OPTIONS", b"/contact", ())).get("X-Weighbridge-Cost") == "1"
        assert (await watch.judge("OPTIONS", b"/echo", ())).get("X-Weighbridge-Cost") == "15"
        assert (await watch.judge("OPTIONS", b"*", ())).get("X-Weighbridge-Cost") == "1"


async def test_a_preflight_is_free_and_brings_no_credential_along(tmp_path: Path) -> None:
    preflight = (("Origin", "https://a.example"), ("Access-Control-Request-Method", "POST"))
    async with watched(tmp_path) as watch:
        wire = request(b"/contact?Authorization=Bearer+x&a=1", [*watch.who, *preflight], "OPTIONS")
        answer, served, debited = await watch.send(wire)
        assert (answer.status, served, debited) == (204, [("", None)], 0)
        seen = watch.here.backend.requests[-1]
        assert "authorization" not in {name.lower() for name, _ in seen.headers}
        assert seen.raw_path == "/contact?a=1"


def authorizations(token: str, other: str) -> list[Fields]:
    """Spellings of a credential: in other words, twice, under other names, in other places."""
    good = f"Bearer {token}"
    said = [
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
    ]
    said += ["Bearer Bearer ", "Bearer x,Bearer ", '"Bearer ', "Bearer\xa0", "JWT x Bearer ", "Negotiate Bearer "]
    behind = [" ", ",", ";", " x", ", Bearer x", "Bearer ", "\t", "=", "%20", "\xa0"]
    names = [
        "authorization",
        "AUTHORIZATION",
        "Authorization_",
        "X-Authorization",
        "Proxy-Authorization",
        "Cookie",
        "X-API-Key",
    ]
    spelled: list[Fields] = [(("Authorization", word + token),) for word in said]
    spelled += [(("Authorization", good + tail),) for tail in behind]
    spelled += [((name, good),) for name in names]
    spelled += [((name, good), ("Authorization", f"Bearer {other}")) for name in [*names, "authorization"]]
    spelled += [(("Authorization", f"Bearer {other}"), (name, good)) for name in [*names, "authorization"]]
    spelled += [(("Authorization", ""), ("Authorization", good)), (("Authorization", good),) * 2]
    spelled += [
        (("Authorization", good), ("Connection", "authorization")),
        (("Authorization ", good),),
        (("Authorization", f"\r\n {good}"),),
    ]
    return spelled


async def test_every_spelling_of_a_credential_is_debited_or_does_not_pass(tmp_path: Path) -> None:
    workspace = ("X-Workspace-ID", ACME.id)
    async with watched(tmp_path) as watch:
        token, other = (watch.here.backend.token(user) for user in (ALICE, BOB))
        passed = 0
        for fields in authorizations(token, other):
            wire = request(b"/contact", [workspace, *fields])
            answer, served, debited = await watch.send(wire)
            said = " ".join(f"{name}: {value}" for name, value in fields).replace(token, "<token>")
            if any(user is not None for _, user in served):
                assert debited == COSTS["GET /contact"], said
                passed += 1
            elif served:
                assert answer.status in {400, 401, 426}, said
            else:
                assert (answer.status in {400, 401}, debited) == (True, 0), said
        assert passed > 2


@pytest.mark.parametrize(
    "path", ["/websocket/message/new", "/WebSocket/message/NEW/", "/websocket/message/new/nothing"]
)
async def test_a_websocket_whose_query_holds_the_credential_is_debited_or_refused(tmp_path: Path, path: str) -> None:
    upgrade = [
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ]
    async with watched(tmp_path) as watch:
        good = f"Bearer+{watch.here.backend.token(ALICE)}"
        queries = [
            f"{name}={value}&workspace_id={ACME.id}"
            for name in (
                "Authorization",
                "%41uthorization",
                "authorization",
                "Authorization%20",
                "Authorization[]",
                "+Authorization",
            )
            for value in (
                good,
                f"x{good}",
                good.replace("+", "%20"),
                f"{good}&Authorization=x",
                f"x&Authorization={good}",
            )
        ]
        tried = 0
        for query in queries:
            wire = request(f"{path}?{query}".encode(), upgrade).replace(b"Connection: close", b"Connection: Upgrade")
            arrived, before = len(watch.here.backend.requests), watch.debited
            status = await first_status(watch.here.url, wire)
            served = list(watch.here.backend.requests)[arrived:]
            if any(seen.user is not None for seen in served):
                assert watch.debited - before == COSTS.get(served[0].handler, 1), query
                tried += 1
            else:
                assert status in {400, 401}, (query, status)
        assert tried > 1


async def first_status(url: str, wire: bytes) -> int:
    """The status of an answer whose connection may go on."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(wire)
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    return int(line.split()[1])


async def test_requests_hidden_in_other_requests_are_debited_or_do_not_pass(tmp_path: Path) -> None:
    async with watched(tmp_path) as watch:
        who = "".join(f"{name}: {value}\r\n" for name, value in watch.who)
        inner = f"GET /contact HTTP/1.1\r\nHost: b\r\n{who}\r\n".encode()
        last = inner.replace(b"Host: b", b"Host: b\r\nConnection: close")
        head = f"POST /echo HTTP/1.1\r\nHost: a\r\n{who}".encode()
        chunk = b"%x\r\n%b\r\n0\r\n" % (len(inner), inner)
        anonymous = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
        wires = [
            head + b"\r\n" + inner + last,
            head + b"Content-Length: %d\r\n\r\n" % len(inner) + inner + last,
            head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"\r\n" + last,
            head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"\r\n" + last,
            head + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunk + b"\r\n" + last,
            head + b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n" + last,
            head + b"Transfer_Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner + last,
            head + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner + last,
            head + b"Content-Length: +0\r\n\r\n" + last,
            head + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + last,
            head.replace(b"POST", b"GET") + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + last,
            head
            + b"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: %d\r\n\r\n" % len(inner)
            + inner
            + last,
            head.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + last,
            anonymous
            + b"Trailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
            + who.encode()
            + b"\r\n"
            + last,
            anonymous + b"X: y\n" + who.encode() + b"\r\n" + last,
            anonymous + b"X: y\r" + who.encode() + b"\r\n" + last,
            anonymous + b"X: y\0\r\n" + who.encode() + b"\r\n" + last,
            b"GET /bytes/1 HTTP/1.1\r\n\r\n" + last,
            b"GET /bytes/1\r\n" + last,
        ]
        for wire in wires:
            _answer, served, debited = await watch.send(wire)
            named = [handler for handler, user in served if user is not None]
            # Echo names nobody, so its debit is counted where it was paid: never less than what was named.
            paid_for = sum(COSTS[handler] for handler in named)
            echoes = sum(COSTS[handler] for handler, _ in served if handler == "ANY /echo/**")
            assert paid_for <= debited <= paid_for + echoes, wire
            for seen in list(watch.here.backend.requests)[-len(served) :] if served else ():
                names = {name.lower() for name, _ in seen.headers}
                assert seen.user is not None or "authorization" not in names or debited > paid_for, wire


@dataclass(frozen=True)
class Router:
    """An upstream whose router reads as ``profile`` says, and beyond that as leniently as one can."""

    profile: str
    decode_first: bool = False
    fold: bool = False
    drop_slash: bool = False
    cut_parameters: bool = False

    def segments(self, target: bytes) -> tuple[str, ...]:
        path = target.split(b"#")[0].split(b"?")[0]
        if b"://" in path:
            path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
        if self.cut_parameters:
            path = re.sub(rb";[^/]*", b"", path)
        if self.decode_first:
            path = unquote_to_bytes(path).replace(b"\\", b"/").split(b"\0")[0]
        found: list[str] = []
        pieces = path.split(b"/")
        for piece in pieces[1:]:
            name = (piece if self.decode_first else unquote_to_bytes(piece)).decode("utf-8", "replace")
            if name == "..":
                found = found[:-1]
            elif name not in {"", "."}:
                found.append(name.lower() if self.fold else name)
        if not self.drop_slash and pieces[-1] == b"" and found:
            found.append("")
        return tuple(found)

    def handler(self, target: bytes) -> int:
        """The cost of the handler that ``target`` reaches; each has its own, none is 1."""
        match self.segments(target):
            case ("contact",):
                return 6
            case ("message", "whatsapp"):
                return 11
            case ("message", "content", key, "like", text) if key and text:
                return 10
            case ("message", "content", *_):
                return 9
            case ("echo", *_):
                return 15
        return 1


ROUTERS = [
    Router("strict"),
    Router("{name: strict, case: insensitive, trailing_slash: dropped}", fold=True, drop_slash=True),
    Router("{name: strict, matrix_params: dropped}", cut_parameters=True),
    Router("decoded", decode_first=True),
    Router(
        "{name: decoded, case: insensitive, trailing_slash: dropped}", decode_first=True, fold=True, drop_slash=True
    ),
    Router("{name: decoded, matrix_params: dropped}", decode_first=True, cut_parameters=True),
]
DECODED_RULES = """\
workspace: {header: null, membership: claim}
cascade: [user]
defaults: {user: rich}
ledger: "memory:"
plans:
  - {slug: rich, throughput_limit: 1000000000, window_seconds: 86400}
rules:
  - {method: ANY, path: /contact, weight: 6}
  - {method: ANY, path: /message/whatsapp, weight: 11}
  - {method: ANY, path: "/message/content/{key}/like/{text}", weight: 10}
  - {method: ANY, path: /message/content/**, weight: 9}
  - {method: ANY, path: /echo/**, weight: 15}
"""


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.profile)
async def test_no_spelling_is_cheaper_at_an_upstream_that_decodes(tmp_path: Path, router: Router) -> None:
    arrived: list[bytes] = []

    async def serve(conversation: Conversation) -> None:
        while True:
            head = await conversation.head()
            arrived.append(head.split(b" ")[1])
            await conversation.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with upstream(serve) as behind:
        yaml = DECODED_RULES + f'upstream: {{url: "{behind.url}", profile: {router.profile}}}\n'
        gateway = await start(gateway_settings(tmp_path, behind.url, yaml))
        try:
            who = [("Authorization", f"Bearer {Backend(jwt_secret=SECRET).token(ALICE)}")]
            served = 0
            for target in by_hand():
                before, count = sum(gateway.metrics.units.values()), len(arrived)
                answer = await send(gateway.urls[0], request(target, who))
                debited = sum(gateway.metrics.units.values()) - before
                if len(arrived) == count:
                    assert (answer.status, debited) == (400, 0), target
                    continue
                assert debited == router.handler(arrived[-1]), (target, arrived[-1])
                served += debited > 1
            assert served > 30
        finally:
            await gateway.stop()
