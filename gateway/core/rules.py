"""Rules: a method and a path pattern say what a request costs, who pays, and how."""

from dataclasses import dataclass
from typing import Literal

ANY = "ANY"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rule was written: ``kind`` decides ties (admin before file), ``where`` is for people (``gateway.yaml:31``)."""

    kind: Literal["admin", "file", "default"]
    where: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What requests of ``method`` to ``pattern`` cost. ``pays`` ``None``: the configured cascade."""

    method: str
    pattern: str
    weight: int = 1
    pays: tuple[str, ...] | None = None
    public: bool = False
    fallback: bool = False
    enforce: bool = True
    charge: Literal["before", "on_success"] = "before"
    refund_on: frozenset[int] = frozenset()
    on_store_failure: Literal["open", "closed"] | None = None
    origin: Origin = Origin("default", "built in")

    @property
    def name(self) -> str:
        """How the rule is called in logs, metrics and the journal."""
        return f"{self.method} {self.pattern}"
