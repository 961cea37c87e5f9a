"""How many more hops a request may take (RFC 9110, 7.6.2), and what the last one shows of it."""

import pytest

from gateway.core.max_forwards import hops_left, traced
from gateway.core.problems import BadRequest


@pytest.mark.parametrize(
    ("value", "left"),
    [(b"0", 0), (b"00", 0), (b"1", 1), (b"70", 70), (b"255", 255), (b"256", 255), (b"9" * 20, 255)],
)
def test_hops_are_counted_up_to_a_bound(value: bytes, left: int) -> None:
    assert hops_left([(b"Host", b"a"), (b"MAX-forwards", value)]) == left


def test_who_says_nothing_is_not_limited() -> None:
    assert hops_left([(b"Host", b"a")]) is None


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1.0", b"0x1", b"1, 1", b"\xb2", b"9" * 21])
def test_what_is_no_number_is_refused(value: bytes) -> None:
    with pytest.raises(BadRequest, match="one number"):
        hops_left([(b"Max-Forwards", value)])


def test_two_numbers_are_refused_in_any_spelling() -> None:
    with pytest.raises(BadRequest, match="one number"):
        hops_left([(b"Max-Forwards", b"1"), (b"Max_Forwards", b"1")])


def test_a_trace_shows_its_way_and_no_secret() -> None:
    headers = [
        (b"Host", b"a"),
        (b"Authorization", b"Bearer s"),
        (b"via", b"1.1 b"),
        (b"Cookie", b"s"),
        (b"Max-Forwards", b"0"),
    ]
    assert traced(b"/x?key=s", headers, 1) == b"TRACE /x HTTP/1.1\r\nHost: a\r\nvia: 1.1 b\r\nMax-Forwards: 0\r\n\r\n"
