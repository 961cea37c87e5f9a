import pytest

from gateway.core.hop_by_hop import RawHeaders
from gateway.core.override import OVERRIDES, overridden
from gateway.core.problems import BadRequest


def meant(method: str, *headers: tuple[bytes, bytes], honours: frozenset[bytes] = OVERRIDES) -> tuple[str, bytes]:
    return overridden(method, b"/a?b", headers, honours)


def test_a_request_without_such_fields_is_what_its_line_says() -> None:
    assert meant("GET", (b"X-Other", b"POST")) == ("GET", b"/a?b")


def test_what_the_upstream_honours_is_what_is_meant() -> None:
    assert meant("POST", (b"X-HTTP-Method-Override", b"DELETE")) == ("DELETE", b"/a?b")
    assert meant("POST", (b"x-method-override", b"M-SEARCH")) == ("M-SEARCH", b"/a?b")
    assert meant("PUT", (b"X-Original-URL", b"/c?d")) == ("PUT", b"/c?d")
    assert meant("POST", (b"X-Rewrite-URL", b"/c"), (b"X-Method-Override", b"GET")) == ("GET", b"/c")


def test_what_it_does_not_honour_is_not_looked_at() -> None:
    fields: RawHeaders = [(b"X-HTTP-Method-Override", b"nonsense"), (b"X_Original_URL", b"nonsense")]
    assert meant("GET", *fields, honours=frozenset({b"x-rewrite-url"})) == ("GET", b"/a?b")


def test_a_method_that_is_the_requests_own_changes_nothing() -> None:
    assert meant("GET", (b"X-HTTP-Method-Override", b"GET")) == ("GET", b"/a?b")


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS"])
def test_a_method_goes_with_post_only(method: str) -> None:
    with pytest.raises(BadRequest, match="goes with POST only"):
        meant(method, (b"X-HTTP-Method-Override", b"DELETE"))


@pytest.mark.parametrize("value", [b"", b"get", b"Get", b"FETCH", b"GET, POST", b"CONNECT", b"ANY", b"GET\xff"])
def test_what_some_upstream_might_not_take_for_a_method_is_refused(value: bytes) -> None:
    with pytest.raises(BadRequest, match="no method that is forwarded"):
        meant("POST", (b"X-HTTP-Method-Override", value))


@pytest.mark.parametrize("value", [b"", b"a", b"http://h/a", b"*", b"?b"])
def test_what_is_not_a_path_is_refused(value: bytes) -> None:
    with pytest.raises(BadRequest, match="not a path"):
        meant("POST", (b"X-Original-URL", value))


@pytest.mark.parametrize(
    "names",
    [
        (b"X-Method-Override", b"X-Method-Override"),
        (b"X-Method-Override", b"X-HTTP-Method-Override"),
        (b"X-Original-URL", b"X-Rewrite-URL"),
    ],
    ids=lambda names: names[1].decode(),
)
def test_of_two_fields_for_one_thing_nobody_knows_which_counts(names: tuple[bytes, bytes]) -> None:
    value = b"GET" if b"Method" in names[0] else b"/c"
    with pytest.raises(BadRequest, match="Send one"):
        meant("POST", *((name, value) for name in names))


def test_a_name_with_underscores_is_refused() -> None:
    # nginx drops such a field, CGI reads it.
    with pytest.raises(BadRequest, match="with hyphens"):
        meant("POST", (b"X_HTTP_Method-Override", b"GET"))
