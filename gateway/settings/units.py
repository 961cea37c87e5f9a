"""Numbers as people write them: ``5s``, ``64KiB``, ``127.0.0.1:8080``, ``2026-11-01``. Inside they are integers.

Text that came from ``${VARIABLE}`` may stand for a number or a boolean, because the environment knows only text.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, NamedTuple, Self

from pydantic import BeforeValidator, PlainValidator

from gateway.settings.base import wrong

_TIME_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_QUANTITY = re.compile(r"([0-9]{1,15})([A-Za-z]+)")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_PORT = 65_535
_LONGEST_SOCKET = 107
UNIX = "unix:"
_LONGEST_US = 100 * 366 * _TIME_UNITS["d"]


class Interpolated(str):
    """Text in which a variable or a file was put: it may be a secret, so it is never shown."""

    __slots__ = ()


def _scaled(value: object, units: dict[str, int], example: str) -> tuple[int, str]:
    kinds = ", ".join(units)
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        raise wrong(f"must be a whole number and a unit ({kinds}), such as {example}")
    return int(match[1]) * units[match[2]], match[0]


def _largest_unit(amount: int, units: dict[str, int]) -> str:
    unit = max((name for name, size in units.items() if amount % size == 0), key=units.__getitem__)
    return f"{amount // units[unit]}{unit}"


class Duration(int):
    """A span of time as integer microseconds; written ``250ms``, ``5s``, ``1m``, ``2h``, ``3d``."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``5s``; a number without a unit is refused, because nobody can say what it means."""
        if isinstance(value, cls):
            return value
        amount, _ = _scaled(value, _TIME_UNITS, "5s")
        if amount > _LONGEST_US:
            raise wrong("must be at most 100 years")
        return cls(amount)

    @property
    def seconds(self) -> float:
        """For asyncio, which counts in seconds."""
        return self / 1_000_000

    def __str__(self) -> str:
        return _largest_unit(self, _TIME_UNITS) if self else "0s"

    __repr__ = __str__


class Size(int):
    """A number of bytes; written ``512B``, ``64KiB``, ``1MiB``, ``2GiB``."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``64KiB``; powers of 1024 only."""
        if isinstance(value, cls):
            return value
        amount, _ = _scaled(value, _SIZE_UNITS, "64KiB")
        if amount <= 0:
            raise wrong("must be larger than 0")
        return cls(amount)

    def __str__(self) -> str:
        return _largest_unit(self, _SIZE_UNITS)

    __repr__ = __str__


class Address(NamedTuple):
    """Where to listen. ``port`` 0: any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixAddress(NamedTuple):
    """A Unix socket to listen on."""

    path: str

    def __str__(self) -> str:
        return f"{UNIX}{self.path}"


def unix_path(value: str) -> str:
    """The path in ``unix:/path``. Raises the error of a value for one that is no path of a socket."""
    path = value.removeprefix(UNIX)
    if not path.startswith("/") or path.endswith("/") or not path.isprintable():
        raise wrong("must be the path of a socket, such as unix:/run/weighbridge.sock")
    if len(path.encode()) > _LONGEST_SOCKET:
        raise wrong(f"must have at most {_LONGEST_SOCKET} bytes behind unix:, because the system takes no more")
    return path


def _positive(value: object) -> Duration:
    duration = Duration.parse(value)
    if duration == 0:
        raise wrong("must be longer than 0")
    return duration


def _address(value: object) -> Address | UnixAddress:
    if isinstance(value, Address | UnixAddress):
        return value
    if isinstance(value, str) and value.startswith(UNIX):
        return UnixAddress(unix_path(value))
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match["port"]) > _LAST_PORT:
        raise wrong("must be host:port, such as 127.0.0.1:8080 or [::1]:8080, or unix:/path")
    return Address(match["six"] or match["host"], int(match["port"]))


def read_instant(value: object) -> int:
    """``2026-11-01`` or ``2026-11-01T12:00:00Z`` as microseconds since 1970."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    sentence = "must be a date or an instant with its offset from UTC, such as 2026-11-01 or 2026-11-01T12:00:00Z"
    if not isinstance(value, str):
        raise wrong(sentence)
    try:
        if len(value) == len("2026-11-01"):
            day = date.fromisoformat(value)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(value)
    except ValueError:
        raise wrong(sentence) from None
    if moment.tzinfo is None:
        raise wrong(sentence)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _whole(value: object) -> object:
    if isinstance(value, Interpolated) and _WHOLE.fullmatch(value):
        return int(value)
    return value


def _flag(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, Interpolated) else value


AnyDuration = Annotated[Duration, PlainValidator(Duration.parse)]
PositiveDuration = Annotated[Duration, PlainValidator(_positive)]
AnySize = Annotated[Size, PlainValidator(Size.parse)]
AnyAddress = Annotated[Address | UnixAddress, PlainValidator(_address)]
Instant = Annotated[int, PlainValidator(read_instant)]
"""Microseconds since 1970-01-01T00:00:00Z."""
Whole = Annotated[int, BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_flag)]
