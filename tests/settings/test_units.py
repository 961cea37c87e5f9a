"""Numbers as people write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from gateway.settings.units import Address, AnyAddress, AnyDuration, AnySize, Duration, Instant, PositiveDuration, Size


@pytest.mark.parametrize(
    ("written", "microseconds"),
    [
        ("250ms", 250_000),
        ("5s", 5_000_000),
        ("1m", 60_000_000),
        ("2h", 7_200_000_000),
        ("3d", 259_200_000_000),
        ("0s", 0),
    ],
)
def test_a_time_is_integer_microseconds(written: str, microseconds: int) -> None:
    assert Duration.parse(written) == microseconds
    assert Duration.parse(written).seconds == microseconds / 1_000_000


@pytest.mark.parametrize(
    "written", ["5", 5, 5.0, True, None, "", "5 s", "-5s", "1.5s", "5S", "5w", "s", "1h30m", "99999d"]
)
def test_what_could_mean_something_else_is_no_time(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AnyDuration).validate_python(written)


def test_a_time_that_must_pass_is_not_zero() -> None:
    with pytest.raises(ValidationError, match="longer than 0"):
        TypeAdapter(PositiveDuration).validate_python("0ms")


@given(st.integers(0, 10**15))
def test_a_time_is_written_as_it_is_read(microseconds: int) -> None:
    assert Duration.parse(str(Duration(microseconds))) == microseconds


@given(st.integers(1, 10**12))
def test_a_size_is_written_as_it_is_read(size: int) -> None:
    assert Size.parse(str(Size(size))) == size


@pytest.mark.parametrize(("written", "size"), [("512B", 512), ("64KiB", 65_536), ("1MiB", 1 << 20), ("2GiB", 2 << 30)])
def test_a_size_is_bytes(written: str, size: int) -> None:
    assert TypeAdapter(AnySize).validate_python(written) == size


@pytest.mark.parametrize("written", ["64KB", "64", 64, "0B", "-1KiB", "64kib", None])
def test_what_could_mean_something_else_is_no_size(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AnySize).validate_python(written)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:65535", Address("localhost", 65_535)),
    ],
)
def test_an_address_is_host_and_port_and_back(written: str, address: Address) -> None:
    assert TypeAdapter(AnyAddress).validate_python(written) == address
    assert str(address) == written


@pytest.mark.parametrize("written", ["8080", ":8080", "127.0.0.1", "::1:8080", "127.0.0.1:65536", "http://x:80", 8080])
def test_what_leaves_host_or_port_open_is_no_address(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AnyAddress).validate_python(written)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00.000001+01:00", 1),
        ("2026-11-01T12:00:00-03:00", 1_793_545_200_000_000),
    ],
)
def test_an_instant_is_microseconds_since_1970(written: str, instant: int) -> None:
    assert TypeAdapter(Instant).validate_python(written) == instant


@pytest.mark.parametrize("written", ["2026-11-01T12:00:00", "tomorrow", "2026-13-01", "01.11.2026", True, None])
def test_an_instant_without_its_offset_is_none(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Instant).validate_python(written)


def test_values_that_are_read_already_stay_as_they_are() -> None:
    kinds: tuple[tuple[Any, object], ...] = (
        (AnyDuration, Duration(5)),
        (AnySize, Size(5)),
        (AnyAddress, Address("h", 1)),
        (Instant, 5),
    )
    for type_, value in kinds:
        assert TypeAdapter(type_).validate_python(value) == value
