"""Requests made of parts that are each odd in their own way, for Hypothesis to combine and to make small again."""

from hypothesis import strategies as st

METHODS = (
    "GET",
    "GET",
    "POST",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "PATCH",
    "QUERY",
    "CONNECT",
    "BREW",
    "get",
)
TARGETS = (
    "/x",
    "/x/y",
    "/free",
    "/sure",
    "/after",
    "/dear",
    "/me",
    "/framed",
    "/door",
    "/",
    "*",
    "//x",
    "/x/../free",
    "/%78",
    "/x?a",
    "/X",
)
MORE_TARGETS = (
    "http://h/x",
    "http://h",
    "/billing",
    "/-/health/live",
    "/x#y",
    "/x%2f..",
    "x",
    "/x/;a",
    "/free/",
    "/\u00e9",
)
VERSIONS = ("HTTP/1.1",) * 8 + ("HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "")
NAMES = ("Content-Length", "Transfer-Encoding", "Connection", "Host", "Expect", "TE", "Upgrade", "Max-Forwards", "X-A")
MORE_NAMES = (
    "Authorization",
    "X-Request-ID",
    "X-Workspace-ID",
    "Via",
    "Origin",
    "Access-Control-Request-Method",
    "Accept-Encoding",
    "Trailer",
    "content_length",
    "Transfer_Encoding",
    "X A",
    "",
)
VALUES = (
    "0",
    "2",
    "5",
    "+2",
    "chunked",
    "gzip, chunked",
    "close",
    "keep-alive",
    "Authorization",
    "X-A",
    "100-continue",
)
MORE_VALUES = (
    "trailers",
    "websocket",
    "Upgrade",
    "a",
    "",
    "a\tb",
    "\u00ff",
    "a\rb",
    "a\nX: b",
    "\0",
    "Bearer x",
    "aa0e8400",
)
COLONS = (": ",) * 6 + (":", " : ", ":\t", " ", ":\r\n ")
BODIES = (
    "",
    "",
    "ok",
    "hello",
    "2\r\nok\r\n0\r\n\r\n",
    "0\r\n\r\n",
    "2;a\r\nok\r\n0\r\nX: y\r\n\r\n",
    "GET /x HTTP/1.1\r\n\r\n",
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, mostly of somebody known (``{who}``) and mostly with a Host."""
    line = " ".join(draw(st.sampled_from(each)) for each in (METHODS, (*TARGETS, *MORE_TARGETS), VERSIONS))
    usual = [draw(st.sampled_from(each)) for each in (["Host: a"] * 5 + [""], ["{who}"] * 5 + [""])]
    parts = ((*NAMES, *MORE_NAMES), COLONS, (*VALUES, *MORE_VALUES))
    odd = ["".join(draw(st.sampled_from(each)) for each in parts) for _ in range(draw(st.integers(0, 3)))]
    order = draw(st.permutations([field for field in (*usual, *odd) if field]))
    text = "\r\n".join([line, *order, "", draw(st.sampled_from(BODIES))])
    return text.encode("latin-1")


def conversations() -> st.SearchStrategy[list[bytes]]:
    """Some connections, with a few requests behind one another on each."""
    return st.lists(st.lists(requests(), min_size=1, max_size=3).map(b"".join), min_size=5, max_size=30)
