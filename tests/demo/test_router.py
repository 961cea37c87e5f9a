import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.router import ANY, Found, Missing, Router, detection_path, split_target


@pytest.fixture
def router() -> Router[str]:
    made: Router[str] = Router()
    made.add("GET", "/contact", "contacts")
    made.add("POST", "/contact", "new contact")
    made.add("GET", "/message/content/like/:text", "any field")
    made.add("GET", "/message/content/:key/like/:text", "one field")
    made.add("GET", "/media/:id", "info")
    made.add("GET", "/media/latest", "never reached")
    made.add(ANY, "/echo/**", "echo")
    return made


def served(router: Router[str], method: str, path: str) -> str | None:
    found = router.find(method, path)
    return found.route.serve if isinstance(found, Found) else None


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        ("/contact", "/contact", ""),
        ("/contact?limit=1", "/contact", "limit=1"),
        ("/contact?a=1?b=2", "/contact", "a=1?b=2"),
        ("/contact#part?limit=1", "/contact", ""),
        ("/contact?limit=1#part", "/contact", "limit=1"),
        ("/%63ontact", "/%63ontact", ""),
        ("//x/contact", "//x/contact", ""),
        ("//x/contact?u=a://b", "/contact", "u=a://b"),
        ("//x/contact/a://b", "/contact/a://b", ""),
        ("/y//x/contact?u=a://b", "/y//x/contact", "u=a://b"),
        ("http://host/contact?limit=1", "/contact", "limit=1"),
        ("HTTP://host:80/contact", "/contact", ""),
        ("http://host", "/", ""),
        ("http://host?limit=1/2", "", "limit=1/2"),
        ("http://host//contact", "//contact", ""),
        ("*", "*", ""),
    ],
)
def test_a_target_is_split_as_fasthttp_splits_it(raw: str, path: str, query: str) -> None:
    assert split_target(raw) == (path, query)


@pytest.mark.parametrize("path", ["/contact", "/CONTACT", "/Contact/", "/contact///"])
def test_case_and_trailing_slashes_do_not_matter(router: Router[str], path: str) -> None:
    assert served(router, "GET", path) == "contacts"


@pytest.mark.parametrize(
    "path",
    ["/%63ontact", "//contact", "/./contact", "/x/../contact", "/contact%2F", "/contact;a=b", "contact", "/contact\\"],
)
def test_nothing_is_decoded_merged_or_folded(router: Router[str], path: str) -> None:
    assert router.find("GET", path) == Missing()


def test_only_ascii_case_is_folded() -> None:
    assert (
        detection_path("/\u212aONTAKT/\u00c4") == "/\u212aontakt/\u00c4"
    )  # the Kelvin sign lower-cases to k elsewhere


def test_a_parameter_is_one_segment_with_its_raw_spelling(router: Router[str]) -> None:
    found = router.find("GET", "/MESSAGE/content/Sender_Data/LIKE/Ol%C3%A1+B/")
    assert isinstance(found, Found)
    assert (found.route.serve, found.params) == ("one field", {"key": "Sender_Data", "text": "Ol%C3%A1+B"})
    assert served(router, "GET", "/message/content/a/b/like/c") is None
    assert served(router, "GET", "/message/content//like/c") is None
    assert served(router, "GET", "/media/") is None


def test_the_first_registered_route_wins(router: Router[str]) -> None:
    assert served(router, "GET", "/media/latest") == "info"


def test_head_is_served_by_gets_handler(router: Router[str]) -> None:
    assert served(router, "HEAD", "/contact") == "contacts"


def test_a_method_that_the_path_lacks_is_told_those_it_has(router: Router[str]) -> None:
    assert router.find("DELETE", "/contact/") == Missing(("GET", "HEAD", "POST"))
    assert router.find("get", "/contact") == Missing(("GET", "HEAD", "POST"))


@pytest.mark.parametrize("path", ["/echo", "/echo/", "/echo/a//b", "/ECHO/%2e%2e/x"])
def test_a_tail_takes_whatever_follows(router: Router[str], path: str) -> None:
    assert served(router, "PROPFIND", path) == "echo"


@given(st.text(alphabet="/abA%2eF.;\\ ", max_size=20))
def test_a_found_path_equals_its_route_but_for_case_and_trailing_slashes(path: str) -> None:
    router: Router[str] = Router()
    router.add("GET", "/a/b", "ab")
    assert (served(router, "GET", path) == "ab") == (path.lower().rstrip("/") == "/a/b")
