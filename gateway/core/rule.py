"""One rule: what requests of a method to a path pattern cost, and what can be wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from gateway.core.frame_match import FrameMatch
from gateway.core.plan import THROUGHPUT

ANY = "ANY"
FRAME = "FRAME"
"""Stands for a method in the names of rules for messages inside WebSockets."""

# What llhttp knows as HTTP methods, without CONNECT (refused) and PRI (HTTP/2's preface).
# fmt: off
METHODS = frozenset({
    "ACL", "BIND", "CHECKOUT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH", "MERGE", "MKACTIVITY",
    "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT",
    "QUERY", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK",
    "UNSUBSCRIBE",
})
# fmt: on
"""The methods a rule can name, besides ``ANY``."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rule was written: ``kind`` decides ties (admin before file), ``where`` is for people.

    Example: ``Origin("file", "gateway.yaml:31")``.
    """

    kind: Literal["admin", "file", "default"]
    where: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What requests of ``method`` to ``pattern`` cost. ``pays`` ``None``: the configured cascade.

    ``strip_json``: names of members that are taken out of JSON answers. ``frame_weight``: what each message of a
    WebSocket's client costs, of those that ``frame_match`` names (``None``: all); ``None``: nothing.
    ``max_age_us``: how long a WebSocket may stay.
    """

    method: str
    pattern: str
    weight: int = 1
    pays: tuple[str, ...] | None = None
    public: bool = False
    fallback: bool = False
    enforce: bool = True
    charge: Literal["before", "on_success"] = "before"
    refund_on: frozenset[int] = frozenset()
    on_store_failure: Literal["open", "closed", "lease"] | None = None
    strip_json: frozenset[str] = frozenset()
    frame_weight: int | None = None
    frame_match: FrameMatch | None = None
    max_age_us: int | None = None
    origin: Origin = Origin("default", "built in")
    name: str = field(init=False, compare=False, repr=False)
    """How the rule is called in logs, metrics and the journal."""
    costs: Mapping[str, int] = field(init=False, compare=False, repr=False)
    """What a request costs, by meter."""

    def __post_init__(self) -> None:
        """Work out what every request asks for."""
        object.__setattr__(self, "name", f"{self.method} {self.pattern}")
        object.__setattr__(self, "costs", {THROUGHPUT: self.weight})

    @property
    def label(self) -> str:
        """The name and where it was written, for messages to people."""
        return f"{self.name} ({self.origin.where})"

    def of_frames(self) -> "Rule | None":
        """What the messages inside a WebSocket cost, as a rule: each is paid before it goes on."""
        if self.frame_weight is None:
            return None
        weight, none = self.frame_weight, frozenset[int]()
        return replace(self, method=FRAME, weight=weight, charge="before", refund_on=none, frame_weight=None)

    def is_paid_at(self, status: int) -> bool:
        """Whether an answer of ``status`` is paid for. 101 is how a WebSocket succeeds."""
        succeeded = 200 <= status < 300 or status == 101  # noqa: PLR2004  (RFC 9110, 15.3 and 15.2.2)
        return status not in self.refund_on and (succeeded or self.charge == "before")


DEFAULT_RULE = Rule(ANY, "/**")
"""What a request costs that no rule matches."""


@dataclass(frozen=True, slots=True)
class RuleError:
    """Why one rule cannot be used: ``message`` is a sentence."""

    rule: Rule
    message: str

    @property
    def origin(self) -> Origin:
        """Where the rule was written."""
        return self.rule.origin

    def __str__(self) -> str:
        return f"{self.origin.where}: rule {self.rule.name}: {self.message}"


class RuleErrors(ValueError):  # noqa: N818  (it is all of them)
    """Everything that is wrong with a set of rules, in the order of the rules."""

    def __init__(self, errors: tuple[RuleError, ...]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors
