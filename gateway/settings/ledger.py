"""Where charges are kept."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.core.bucket import LARGEST
from gateway.core.redis_place import SCHEMES, place_of
from gateway.settings.base import RESTART, Fault, Section, fail_on, wrong
from gateway.settings.units import AnySize, Duration, PositiveDuration, Size, Whole

FILE_URL = "sqlite:///"
_OF_REDIS = frozenset({"mode", "journal", "prefix", "timeout"})
_OF_ANY = frozenset({"url", "late_debt"})
_KEY_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,31}")


def file_url(value: str) -> str:
    """A URL of a file. Raises the error of a value for one that names none."""
    path = value.removeprefix(FILE_URL)
    if path in ("", ":memory:") or path.endswith("/") or "?" in path or "\x00" in path:
        raise wrong("must name a file: sqlite:///relative.db or sqlite:////absolute/path.db")
    return value


def _ledger_url(value: str) -> str:
    if value in ("memory", "memory:"):
        return "memory:"
    if value.partition("://")[0] in SCHEMES:
        try:
            place_of(value)
        except ValueError as error:
            raise wrong(str(error)) from None
        return value
    if not value.startswith(FILE_URL):
        raise wrong("must be memory:, sqlite:///path/to/file.db, redis://host:6379/0 or another Redis URL")
    return file_url(value)


def _journal(value: str) -> str:
    if not value.startswith(FILE_URL):
        raise wrong("must be a file of this gateway's own, such as sqlite:///weighbridge-ledger.db")
    return file_url(value)


def _key_prefix(value: str) -> str:
    if not _KEY_PREFIX.fullmatch(value):
        raise wrong("must be 1 to 32 letters, digits, dots, colons, hyphens and underscores")
    return value


class LedgerSettings(Section):
    """Where charges are kept."""

    url: Annotated[str, AfterValidator(_ledger_url)] = Field(
        default="sqlite:///weighbridge-ledger.db",
        description="`sqlite:///path`: counters in memory with a journal on disk, relative to where the gateway runs. "
        "`memory:`: keeps nothing, every restart fills every budget. `redis://host:6379/0`: counters that many "
        "gateways share exactly, in Redis or Valkey; also `rediss://` (TLS), `unix:///path`, "
        "`redis+sentinel://host:26379/service` and `redis+cluster://host:6379`; its password from `${…}`.",
        json_schema_extra=RESTART,
        repr=False,
    )
    mode: Literal["exact", "leased"] = Field(
        default="exact",
        description="With Redis: `exact` asks it for every charge. `leased`: each gateway holds a small slice of a "
        "budget and spends it by itself; never one unit too much, but what a gateway holds when it dies is lost to its "
        "owner until the window ends. `weighbridge check` says how much that can be.",
        json_schema_extra=RESTART,
    )
    journal: Annotated[str, AfterValidator(_journal)] = Field(
        default="sqlite:///weighbridge-ledger.db",
        description="With Redis: the file in which this gateway keeps its own charges, to explain, prove and rebuild.",
        json_schema_extra=RESTART,
    )
    prefix: Annotated[str, AfterValidator(_key_prefix)] = Field(
        default="wb",
        description="With Redis: what the names of all keys begin with, so that ledgers that share a Redis stay apart.",
        json_schema_extra=RESTART,
    )
    timeout: PositiveDuration = Field(
        default=Duration.parse("500ms"),
        description="With Redis: how long an answer may take. Then it is asked for once more, and after that "
        "`on_store_failure` applies until Redis answers again.",
        json_schema_extra=RESTART,
    )
    late_debt: Annotated[Whole, Field(ge=0, le=LARGEST)] = Field(
        default=0,
        description="How many units a budget may go below zero by what passed while it could not be asked "
        "(`on_store_failure: open`). 0: down to zero, and the rest is recorded as overrun.",
        json_schema_extra=RESTART,
    )
    keep: PositiveDuration = Field(
        default=Duration.parse("30d"),
        description="How long journal records are kept; balances do not need them once folded.",
        json_schema_extra=RESTART,
    )
    keep_size: AnySize = Field(
        default=Size.parse("8GiB"),
        description="How large the journal may grow before the oldest records go, however young.",
        json_schema_extra=RESTART,
    )
    keep_minutes: PositiveDuration = Field(
        default=Duration.parse("2d"),
        description="How long what was used is kept by the minute.",
        json_schema_extra=RESTART,
    )
    keep_hours: PositiveDuration = Field(
        default=Duration.parse("90d"),
        description="How long what was used is kept by the hour.",
        json_schema_extra=RESTART,
    )
    keep_days: PositiveDuration = Field(
        default=Duration.parse("1100d"),
        description="How long what was used is kept by the day.",
        json_schema_extra=RESTART,
    )

    @property
    def shared(self) -> bool:
        """Whether the counters are in a Redis."""
        return self.url.partition("://")[0] in SCHEMES

    @property
    def path(self) -> str | None:
        """The journal's file; ``None``: memory only."""
        if self.url == "memory:":
            return None
        return (self.journal if self.shared else self.url).removeprefix(FILE_URL)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        changed = [
            key
            for key, field in type(self).model_fields.items()
            if key not in _OF_ANY and getattr(self, key) != field.default
        ]
        faults = [
            Fault((key,), "does nothing without a Redis in ledger.url")
            for key in changed
            if key in _OF_REDIS and not self.shared
        ]
        faults += [
            Fault((key,), "does nothing with memory:, which keeps no journal")
            for key in changed
            if key not in _OF_REDIS and self.path is None
        ]
        fail_on(faults)
        return self
