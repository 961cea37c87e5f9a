import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.problems import BadRequest
from gateway.core.target import PROFILES, Profile, Target, canonical_target, under_prefixes

OWN = ("/billing", "/billing-admin", "/-/", "/api/Own")
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))


def ours(raw: bytes, profile: Profile = PROFILES["fiber"]) -> bool:
    return under_prefixes(canonical_target("GET", raw, profile), OWN)


@EVERY
@pytest.mark.parametrize(
    "raw",
    [b"/billing", b"/billing/", b"/billing/plan?x", b"/BILLING?x", b"/-/health", b"/-", b"/billing-admin", b"/api/own"],
)
def test_a_path_under_an_own_prefix_is_ours(raw: bytes, profile: Profile) -> None:
    assert ours(raw, profile)


@EVERY
@pytest.mark.parametrize(
    "raw", [b"/", b"/billings", b"/x/billing", b"/--", b"/api", b"/api/owner", b"/contact?/billing"]
)
def test_other_paths_are_not(raw: bytes, profile: Profile) -> None:
    assert not ours(raw, profile)
    assert not ours(raw.replace(b"a", b"%61").replace(b"b", b"%62", 1), profile)


@pytest.mark.parametrize(
    "raw",
    [
        b"/%62illing",
        b"/%2562illing/plan",
        b"/%252562illing",
        b"/x/../billing",
        b"/x/%2e%2e/billing",
        b"/x%2F..%5cBilling",
        b"/./billing",
        b"/;x/billing",
        b"/billing;x=1/plan",
        b"/billing%00",
        b"/billing/../contact",
        b"/../billing",
        b"/api//own",
        b"/api/x/../own/",
        b"/a%2F/../../%2D",
    ],
)
def test_a_spelling_that_some_server_reads_as_ours_is_never_forwarded(raw: bytes) -> None:
    assert ours(raw)


def test_the_whole_server_is_not_ours() -> None:
    assert not under_prefixes(canonical_target("OPTIONS", b"*", PROFILES["strict"]), OWN)


def test_without_own_prefixes_nothing_is_ours() -> None:
    assert not under_prefixes(canonical_target("GET", b"/billing", PROFILES["strict"]), ())
    assert not under_prefixes(canonical_target("GET", b"/%62", PROFILES["strict"]), ())


def test_an_own_prefix_that_is_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a segment"):
        under_prefixes(Target(b"/a", ("a",), b""), ("/",))


@EVERY
@given(raw=st.lists(st.sampled_from([b"/", b"billing", b"BILL", b"%62", b"illing", b".", b"%2E", b";", b"%2F"])))
def test_whatever_the_profile_reads_as_ours_is_ours(raw: list[bytes], profile: Profile) -> None:
    try:
        target = canonical_target("GET", b"/" + b"".join(raw), profile)
    except BadRequest:
        return
    if target.segments[:1] and target.segments[0].lower() == "billing":
        assert under_prefixes(target, OWN)
