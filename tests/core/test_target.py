from dataclasses import replace

import pytest

from gateway.core.problems import BadRequest
from gateway.core.target import PROFILES, Profile, Target, canonical_target

STRICT, FIBER, DECODED = PROFILES["strict"], PROFILES["fiber"], PROFILES["decoded"]
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))


def segments(raw: bytes, profile: Profile = STRICT) -> tuple[str, ...]:
    return canonical_target("GET", raw, profile).segments


def refusal(raw: bytes, profile: Profile = STRICT, method: str = "GET") -> str:
    with pytest.raises(BadRequest) as refused:
        canonical_target(method, raw, profile)
    return refused.value.message


@EVERY
def test_a_plain_target_is_split_and_forwarded_as_it_came(profile: Profile) -> None:
    target = canonical_target("GET", b"/message/content/42?limit=5&x=%2F..//", profile)
    assert target.segments == ("message", "content", "42")
    assert target.raw == b"/message/content/42?limit=5&x=%2F..//"
    assert target.query == b"limit=5&x=%2F..//"
    assert target.authority is None
    assert target.plain


@EVERY
def test_the_root_has_no_segments(profile: Profile) -> None:
    assert segments(b"/", profile) == ()
    assert segments(b"/?a", profile) == ()


def test_in_strict_each_segment_is_decoded_after_the_split() -> None:
    assert segments(b"/%61/b%20c/%C3%A9") == ("a", "b c", "é")
    assert segments(b"/a%2Fb/%5c/%00/%3B") == ("a/b", "\\", "\0", ";")
    assert segments(b"/a%252Fb") == ("a%2Fb",)


def test_in_strict_case_and_a_trailing_slash_count() -> None:
    assert segments(b"/A/b") == ("A", "b")
    assert segments(b"/a/") == ("a", "")
    assert segments(b"/a/%61/") == ("a", "a", "")


def test_dots_inside_a_name_are_a_name() -> None:
    assert segments(b"/.well-known/..a/...") == (".well-known", "..a", "...")


@pytest.mark.parametrize("profile", [STRICT, DECODED], ids=["strict", "decoded"])
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"/a/./b", "`..` segment"),
        (b"/a/..", "`..` segment"),
        (b"/%2e%2E/a", "`..` segment"),
        (b"/a/.%2e?x", "`..` segment"),
        (b"/%2e", "`..` segment"),
        (b"/a//b", "empty segment"),
        (b"/a//", "empty segment"),
        (b"/a\\b", "backslash"),
        (b"/a%", "hexadecimal"),
        (b"/a%2", "hexadecimal"),
        (b"/%zz/b", "hexadecimal"),
    ],
)
def test_what_servers_read_in_two_ways_is_refused(raw: bytes, said: str, profile: Profile) -> None:
    assert said in refusal(raw, profile)


@EVERY
@pytest.mark.parametrize("raw", [b"//", b"//host/message", b"//host/message?x=://y", b"http://h//x/y"])
def test_a_path_that_could_be_read_as_a_host_is_refused(raw: bytes, profile: Profile) -> None:
    # fasthttp, under fiber, routes //h/message?x=:// as /message.
    assert "read as a host" in refusal(raw, profile)


@EVERY
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"/a b", "space"),
        (b"/a?b c", "space"),
        (b"/a\tb", "control"),
        (b"/a\x00", "control"),
        (b"/a\x7f", "control"),
        (b"/a\r\nX: y", "control"),
        (b"/a#b", "fragment"),
        (b"/a?b#c", "fragment"),
        (b"", "neither a path nor"),
        (b"a/b", "neither a path nor"),
        (b"?x", "neither a path nor"),
        (b"example.org:443", "neither a path nor"),
        (b"ftp://h/x", "neither a path nor"),
        (b"*", "OPTIONS"),
        (b"http://", "no plain host"),
        (b"http:///x", "no plain host"),
        (b"http://user:pw@h/x", "no plain host"),
        (b"http://h:port/x", "no plain host"),
        (b"http://h\\x/y", "no plain host"),
    ],
)
def test_what_is_no_request_target_is_refused_in_every_profile(raw: bytes, said: str, profile: Profile) -> None:
    assert said in refusal(raw, profile)


@pytest.mark.parametrize("raw", [b"example.org:443", b"/a", b"*"])
def test_connect_is_refused(raw: bytes) -> None:
    assert "CONNECT" in refusal(raw, method="CONNECT")


def test_fiber_folds_ascii_case_and_drops_all_trailing_slashes_and_nothing_else() -> None:
    assert segments(b"/Message/WhatsApp///", FIBER) == ("message", "whatsapp")
    assert segments(b"/a//B/./..\\%2F%zz;X", FIBER) == ("a", "", "b", ".", "..\\%2f%zz;x")
    assert segments("/É/\u017f".encode(), FIBER) == ("É", "\u017f")


def test_decoded_takes_an_encoded_slash_for_a_slash() -> None:
    assert segments(b"/a%2Fb/c%2f", DECODED) == ("a", "b", "c", "")
    assert segments(b"/%41%252F", DECODED) == ("A%2F",)
    assert "empty segment" in refusal(b"/a%2F/b", DECODED)
    assert "empty segment" in refusal(b"/%2Fhost/b", DECODED)
    assert "backslash" in refusal(b"/a%5Cb", DECODED)
    assert "NUL" in refusal(b"/a%00", DECODED)
    assert "`..` segment" in refusal(b"/a%2F..%2Fb", DECODED)


def test_bytes_that_are_not_utf8_stay_percent_encoded() -> None:
    assert segments(b"/%E9/\xe9%C3%A9/%ED%A0%80") == ("%E9", "%E9é", "%ED%A0%80")
    assert segments(b"/\xe9\xc3\xa9", FIBER) == ("%E9é",)
    assert segments(b"/\xc3\xa9") == segments(b"/%c3%a9") == ("é",)


def test_non_ascii_bytes_in_a_query_are_forwarded() -> None:
    target = canonical_target("GET", b"/a?q=\xc3\xa9\xff", STRICT)
    assert target.plain
    assert target.query == b"q=\xc3\xa9\xff"


def test_case_insensitive_decoding_routers_fold_as_widely_as_any() -> None:
    profile = replace(STRICT, case="insensitive")
    assert segments(b"/STRASSE/K", profile) == ("strasse", "k")
    assert segments("/straße/\u212a".encode(), profile) == ("strasse", "k")
    assert {segments(f"/x{i}".encode(), profile) for i in ("i", "I", "\u0131", "\u0130", "%49")} == {("xi",)}


def test_trailing_slashes_can_be_dropped_in_any_profile() -> None:
    profile = replace(STRICT, trailing_slash="dropped")
    assert segments(b"/a/", profile) == segments(b"/a", profile) == ("a",)
    assert segments(b"/%61/", profile) == ("a",)
    assert segments(b"/", profile) == ()
    assert "empty segment" in refusal(b"/a//", profile)
    assert segments(b"/a//", replace(FIBER, trailing_slash="significant")) == ("a", "", "")


def test_matrix_parameters_are_data_unless_dropped() -> None:
    assert segments(b"/a;x=1/b") == ("a;x=1", "b")
    for profile in PROFILES.values():
        dropped = replace(profile, matrix_params="dropped")
        assert segments(b"/a;x=1;y/b;", dropped) == ("a", "b")
        assert segments(b"/a;x=%31/b", dropped) == ("a", "b")


def test_where_servers_cut_parameters_at_different_times_the_spelling_is_refused() -> None:
    for profile in (STRICT, DECODED):
        dropped = replace(profile, matrix_params="dropped")
        assert "encoded `;`" in refusal(b"/a%3Bx", dropped)
        assert "`..` segment" in refusal(b"/a/..;x/b", dropped)
        assert "empty segment" in refusal(b"/a/;x/b", dropped)
        assert "backslash" in refusal(b"/a;\\", dropped)
    for end in (b"%2f", b"%5C", b"%00"):
        assert "encoded slash, backslash or NUL" in refusal(
            b"/a;x=" + end + b"b/c", replace(DECODED, matrix_params="dropped")
        )
    assert segments(b"/a;x=%2fb/c", replace(STRICT, matrix_params="dropped")) == ("a", "c")


@EVERY
@pytest.mark.parametrize(
    ("raw", "forwarded", "authority"),
    [
        (b"http://example.org/a/b?c", b"/a/b?c", b"example.org"),
        (b"HTTPS://example.org:8443/a", b"/a", b"example.org:8443"),
        (b"http://[::1]:80/a", b"/a", b"[::1]:80"),
        (b"http://example.org", b"/", b"example.org"),
        (b"http://example.org?c=http://x/y", b"/?c=http://x/y", b"example.org"),
    ],
)
def test_absolute_form_becomes_origin_form(raw: bytes, forwarded: bytes, authority: bytes, profile: Profile) -> None:
    target = canonical_target("GET", raw, profile)
    assert (target.raw, target.authority) == (forwarded, authority)
    assert target.segments == canonical_target("GET", forwarded, profile).segments


def test_options_can_ask_about_the_whole_server() -> None:
    assert canonical_target("OPTIONS", b"*", STRICT) == Target(b"*", ("*",), b"")
    assert canonical_target("OPTIONS", b"http://h:1", FIBER) == Target(b"*", ("*",), b"", b"h:1")
    assert canonical_target("OPTIONS", b"http://h/", FIBER).raw == b"/"
    assert canonical_target("OPTIONS", b"/*", STRICT).segments == ("*",)


def test_the_path_for_people_fits_one_line_and_keeps_segments_apart() -> None:
    assert canonical_target("GET", b"/a%2Fb/c%0Ad/%C3%A9?q", STRICT).path == "/a%2Fb/c%0Ad/é"
    assert canonical_target("GET", b"/A/%2F/", FIBER).path == "/a/%2f"
    assert canonical_target("GET", b"/", STRICT).path == "/"
    assert canonical_target("OPTIONS", b"*", STRICT).path == "*"
    assert canonical_target("GET", b"/%E2%80%A8/%ED%A0%80", STRICT).path.isprintable()
