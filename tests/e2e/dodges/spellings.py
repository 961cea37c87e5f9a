"""Spellings that some server might take for one of ``PATHS``, and what each handler of the stand-in costs."""

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from gateway.demo.data import ACME

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

PATHS = (
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
)
POSTED = ("/contact", "/message/whatsapp", "/user/oauth/token")
ODD = (
    "/", "//", "/.", "/./", "/..", "/x/..", "/x/../", ";", ";a=b", "\\", "%5c", "%2f", "%2F", "%00", "%20", "%3b",
    ".", "%2e", "%2e%2e/", "?", "%3f", "&", ":", "@", "~", "+",
)  # fmt: skip
BEFORE = (
    "/", "//", "/.", "/x/..", "/%2e%2e", "//x", "//x/y?u=a://b", "http://api.example", "HTTP://h", "https://h:1",
    "http://h", "http://user@h", "ftp://h", "://", "x:",
)  # fmt: skip
BEHIND = ("?", "?a=1", "?u=a://b", "?u=//b/contact", "?/../contact", "?a;b", "#", "#?", "?x=%00", "?&&", "?x#y")
METHODS = ("GET", "POST", "GET", "POST", "HEAD", "OPTIONS", "PUT", "get", "Post", "TRACE", "PROPFIND")
OVERRIDES = (
    "X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "x_http_method_override",
    "X_Original_URL",
)  # fmt: skip

Fields = tuple[tuple[str, str], ...]


def flipped(path: str, at: Sequence[int]) -> str:
    """Some characters in the other case."""
    return "".join(char.swapcase() if index in at else char for index, char in enumerate(path))


def encoded(path: str, at: Sequence[int], *, twice: bool, upper: bool) -> str:
    """Some characters percent-encoded, once or twice; slashes too."""
    escape = ("%{:02X}" if upper else "%{:02x}").format
    shown = [escape(ord(char)) if index in at else char for index, char in enumerate(path)]
    return "".join(piece.replace("%", "%25") if twice and len(piece) > 1 else piece for piece in shown)


def by_hand(paths: Sequence[str] = PATHS) -> Iterator[bytes]:
    """Every oddity in every place of every path, one at a time, and some together."""
    for path in paths:
        yield from (spelled.encode() for spelled in (path, path.upper(), path.title(), path + "/", path + "//"))
        for odd in ODD:
            slashes = [at for at, char in enumerate(path) if char == "/"][-2:]
            for at in (*slashes, *(slash + 1 for slash in slashes), len(path)):
                yield (path[:at] + odd + path[at:]).encode()
        for at in (1, 3, len(path) - 1):
            for twice in (False, True):
                yield encoded(path, [at], twice=twice, upper=at == 1).encode()
        yield encoded(path, range(1, len(path)), twice=False, upper=True).encode()
        yield from ((before + path).encode() for before in BEFORE)
        yield from ((path + behind).encode() for behind in BEHIND)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, bytes, Fields]:
    """A method, a target and fields."""
    path = draw(st.sampled_from(PATHS))
    places = st.lists(st.integers(0, len(path) - 1), max_size=4)
    path = flipped(path, draw(places))
    if draw(st.integers(0, 3)) == 0:
        path = encoded(path, draw(places), twice=draw(st.booleans()), upper=draw(st.booleans()))
    for at in draw(st.lists(st.integers(0, len(path)), max_size=2)):
        path = path[:at] + draw(st.sampled_from(ODD)) + path[at:]
    target = draw(st.sampled_from(["", "", "", *BEFORE])) + path + draw(st.sampled_from(["", "", *BEHIND]))
    override = st.tuples(st.sampled_from(OVERRIDES), st.sampled_from(["GET", "post", *PATHS]))
    return draw(st.sampled_from(METHODS)), target.encode(), tuple(draw(st.lists(override, max_size=1)))
