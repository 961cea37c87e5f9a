from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.problems import Problem
from gateway.identity.carriers import QueryGlance, query_value

NAMES = ("token", "Authorization", "a b", "x+y", "50%", "a%41")
PIECES = [
    "t",
    "token",
    "TOKEN",
    "Authorization",
    "%74oken",
    "%2574oken",
    "%54",
    "a b",
    "a+b",
    "a%20b",
    "x%2By",
    "50%25",
]
TEXT = st.lists(
    st.sampled_from([*PIECES, "&", ";", "=", "%", "%25", "[", "]", "'", "$", "+", "q", "4", "1"]), max_size=9
)


@settings(max_examples=1_000, deadline=None)
@given(pieces=TEXT, name=st.sampled_from(NAMES))
def test_a_glance_that_says_no_missed_nothing(pieces: list[str], name: str) -> None:
    query, wanted = "".join(pieces).encode(), name.encode()
    try:
        found = query_value(query, wanted) is not None
    except Problem:
        found = True
    assert not found or QueryGlance([wanted])(query)


def test_a_glance_says_no_to_ordinary_queries_and_yes_to_any_spelling() -> None:
    glance = QueryGlance([b"Authorization", b"workspace_id"])
    for query in (b"limit=10&offset=20", b"q=caf%C3%A9+au+lait", b"created_at=desc;x[]=1"):
        assert not glance(query)
    for query in (b"authorization=x", b"a=1&workspace%5Fid=7", b"%2541uthorization=x", b"[WORKSPACE_ID]=7"):
        assert glance(query)
    assert not QueryGlance([])(b"token=x")
