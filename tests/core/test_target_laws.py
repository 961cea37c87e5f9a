"""The dodge law: two spellings that a router sends to one handler have equal segments, or one of them is refused.

The routers here are models of families of real ones, written without the code under test. Each has its own habits about
what a profile leaves open: whether it resolves dots, merges slashes, reads backslashes as slashes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.problems import BadRequest
from gateway.core.target import PROFILES, Profile, canonical_target

Router = Callable[[bytes], object]


@dataclass(frozen=True)
class Habits:
    dots: bool = False
    merges: bool = False
    backslashes: bool = False
    cuts_late: bool = False


def fiber(path: bytes) -> object:
    """fiber 2 on fasthttp, which splits an authority off a target that starts with ``//`` and has ``://`` anywhere."""
    if b"://" in path and path.startswith(b"//"):
        rest = path[2:]
        path = rest[rest.index(b"/") :] if b"/" in rest else b"/"
    path = path.partition(b"?")[0].lower()
    return path.rstrip(b"/") if len(path) > 1 else path


def router(profile: Profile, habits: Habits) -> Router:
    """A router that decodes, in the way that the profile describes, and for the rest has ``habits``."""

    def handler(raw: bytes) -> object:
        path = raw.partition(b"?")[0][1:]
        if habits.backslashes:
            path = path.replace(b"\\", b"/")
        if profile.matrix_params == "dropped" and not habits.cuts_late:
            path = _cut(path)
        if profile.decode == "path":
            path = unquote_to_bytes(path)
            path = path.replace(b"\\", b"/") if habits.backslashes else path
        names = path.split(b"/")
        if profile.decode == "segments":
            names = [unquote_to_bytes(name) for name in names]
        if profile.matrix_params == "dropped" and habits.cuts_late:
            names = [name.partition(b";")[0] for name in names]
        if profile.case == "insensitive":
            names = [
                name.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogatepass") for name in names
            ]
        return _resolved(names, profile, habits)

    return handler


def _cut(path: bytes) -> bytes:
    return b"/".join(name.partition(b";")[0] for name in path.split(b"/"))


def _resolved(names: list[bytes], profile: Profile, habits: Habits) -> object:
    kept: list[bytes] = []
    for place, name in enumerate(names):
        last = place == len(names) - 1
        if habits.dots and name in (b".", b".."):
            del kept[len(kept) - (name == b"..") :]
            kept += [b""] if last else []
        elif name or last or not habits.merges:
            kept.append(name)
    while profile.trailing_slash == "dropped" and kept and not kept[-1]:
        kept.pop()
    return tuple(kept) or (b"",)


PIECES = [
    *(b"/", b"/", b"/", b"//", b"%2F", b"%2f", b"\\", b"%5C"),
    *(b"a", b"A", b"%61", b"%41", b"b", b"%62", b"%2561", b"\xc3\xa9", b"%C3%A9", b"%c3%89", b"\xe9", b"%E9", b"%e9"),
    *(b".", b"..", b"%2e", b"%2E.", b";", b";a=b", b"%3B", b"%3b", b"%00", b"://", b"?", b"?a=://", b"%"),
]
SPELLINGS = st.lists(st.sampled_from(PIECES), max_size=6).map(lambda pieces: b"/" + b"".join(pieces))


def respelled(path: bytes, place: int, piece: bytes | None) -> bytes:
    """Another spelling near to the first, so that the two often are one request. No piece: one character otherwise."""
    place %= len(path) + 1
    before, here, after = path[:place], path[place : place + 1], path[place + 1 :]
    if piece is not None:
        return before + piece + here + after
    return before + (here.swapcase() if here.isalpha() else b"".join(b"%%%02x" % byte for byte in here)) + after


PAIRS = st.one_of(
    st.tuples(SPELLINGS, SPELLINGS),
    st.tuples(
        SPELLINGS,
        st.integers(0, 20),
        st.sampled_from([None, None, b"/", b"/.", b"/a/..", b"%2e/", b"%2F", b";x", b";%2Fb", b"\\", *PIECES]),
    ).map(lambda drawn: (drawn[0], respelled(*drawn))),
)
CASES = [
    (profile, Habits(*habits))
    for name in ("strict", "decoded")
    for folding in (PROFILES[name], replace(PROFILES[name], case="insensitive"))
    for ending in (folding, replace(folding, trailing_slash="dropped"))
    for profile in (ending, replace(ending, matrix_params="dropped"))
    for habits in product((False, True), repeat=4)
]
# A router to which odd segments are data has none of the habits about them.
CASES += [
    (replace(profile, odd_segments="data"), habits)
    for profile, habits in CASES
    if not (habits.dots or habits.merges or habits.backslashes)
]


def segments(raw: bytes, profile: Profile) -> tuple[str, ...] | None:
    try:
        return canonical_target("GET", raw, profile).segments
    except BadRequest:
        return None


def is_a_dodge(one: bytes, other: bytes, profile: Profile, handler: Router) -> bool:
    first, second = segments(one, profile), segments(other, profile)
    return None not in (first, second) and first != second and handler(one) == handler(other)


@settings(max_examples=1_000)
@given(pair=PAIRS, case=st.sampled_from(CASES))
def test_no_spelling_dodges_a_router_that_decodes(pair: tuple[bytes, bytes], case: tuple[Profile, Habits]) -> None:
    profile, habits = case
    assert not is_a_dodge(*pair, profile, router(profile, habits))


@settings(max_examples=500)
@given(pair=PAIRS)
def test_no_spelling_dodges_fiber(pair: tuple[bytes, bytes]) -> None:
    assert not is_a_dodge(*pair, PROFILES["fiber"], fiber)


@pytest.mark.parametrize(
    ("one", "other", "profile", "habits"),
    [
        (b"/a/b", b"/%61/b", PROFILES["strict"], Habits()),
        (b"/a/b", b"/a%2Fb", PROFILES["decoded"], Habits()),
        (b"/a/b", b"/A/b/", replace(PROFILES["strict"], case="insensitive", trailing_slash="dropped"), Habits()),
        (b"/a/b", b"/a;x/b", replace(PROFILES["strict"], matrix_params="dropped"), Habits()),
    ],
)
def test_spellings_of_one_request_are_accepted_and_equal(
    one: bytes, other: bytes, profile: Profile, habits: Habits
) -> None:
    assert router(profile, habits)(one) == router(profile, habits)(other)
    assert segments(one, profile) == segments(other, profile) is not None


@pytest.mark.parametrize(
    ("one", "other", "wrong", "handler"),
    [
        (b"/a/b", b"/a/%62", "fiber", router(PROFILES["strict"], Habits())),
        (b"/a/b", b"/a%2Fb", "strict", router(PROFILES["decoded"], Habits())),
        (b"/a/b", b"/A/b", "strict", fiber),
        (b"/b", b"/a/../b", "fiber", router(PROFILES["strict"], Habits(dots=True))),
    ],
)
def test_the_wrong_profile_lets_dodges_through(one: bytes, other: bytes, wrong: str, handler: Router) -> None:
    """The law can fail: this is what a profile is for."""
    assert is_a_dodge(one, other, PROFILES[wrong], handler)


@given(raw=st.binary(max_size=40).map(lambda tail: b"/" + tail), case=st.sampled_from(CASES))
def test_any_bytes_are_read_or_refused_and_forwarded_unchanged(raw: bytes, case: tuple[Profile, Habits]) -> None:
    for profile in (case[0], PROFILES["fiber"]):
        try:
            target = canonical_target("GET", raw, profile)
        except BadRequest as refused:
            message = refused.message
        else:
            message = "read"
            assert target.raw == raw
            assert target.path.isprintable()
            assert "".join(target.segments).encode() is not None
        assert message.isprintable()
