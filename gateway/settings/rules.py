"""``rules``: what a request costs, who pays, and how."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.settings.base import Fault, Section, fail_on
from gateway.settings.frames import FrameMatchSettings
from gateway.settings.names import Kind, Listed, Text
from gateway.settings.policies import StorePolicy
from gateway.settings.units import Flag, PositiveDuration, Whole

Status = Annotated[Whole, Field(ge=200, le=599)]


class RuleSettings(Section):
    """A method and a path pattern, and what becomes of requests that match."""

    method: Text = Field(description="An HTTP method, or `ANY`. GET covers HEAD unless HEAD has its own rule.")
    path: Text = Field(
        description="Segments: literal, `{name}` or `*` (one; `*` at the end: one or more), `**` (zero or more). "
        "The more exact pattern wins, wherever it stands in the file."
    )
    weight: Annotated[Whole, Field(ge=0, le=10**12)] = Field(
        default=1, description="Units that one request costs. 0: free."
    )
    pays: Annotated[tuple[Kind, ...], *Listed] | None = Field(
        default=None, description="Who is asked to pay, in this order. `null`: as `cascade` says."
    )
    public: Flag = Field(
        default=False, description="Credentials are neither needed nor judged: sign-up, login, status pages."
    )
    fallback: Flag = Field(
        default=False, description="May be paid from the budget of `fallback.plan` when the user's own is empty."
    )
    enforce: Flag = Field(default=True, description="`false`: counted and never refused, for trying a weight out.")
    charge: Literal["before", "on_success"] = Field(
        default="before",
        description="`on_success`: only a 2xx (or the 101 of a WebSocket) is charged. What was debited before is given "
        "back; a payer whom only the path of a public rule names is debited after, and may then overrun a budget.",
    )
    refund_on: Annotated[tuple[Status, ...], *Listed] = Field(
        default=(),
        description="Statuses that cost nothing, the upstream's or the gateway's own: 502, 504, and 499 for a client "
        "that left. 3xx and 4xx can be provoked by a caller: `check` warns.",
    )
    on_store_failure: StorePolicy | None = Field(
        default=None,
        description="`open`, `closed` or `lease` for this rule. `null`: as `on_store_failure` of the gateway.",
    )
    strip_json: Annotated[tuple[Text, ...], *Listed] = Field(
        default=(),
        description="Names of members that are taken out of JSON answers, at any depth: `[password]`. The answer is "
        "asked for uncompressed and whole, and held until it is complete.",
    )
    frame_weight: Annotated[Whole, Field(ge=1, le=10**12)] | None = Field(
        default=None,
        description="Units that each message of a WebSocket's client costs, beside the handshake's `weight`. One that "
        "nobody can pay is not passed on, and both sides are closed with 4429. `null`: nothing.",
    )
    frame_match: FrameMatchSettings | None = Field(
        default=None,
        description="Which messages `frame_weight` is for. `null`: all. Pings and pongs are free. Where this is set, "
        "compression (`permessage-deflate`) is not offered to the upstream: what is compressed could not be read.",
    )
    max_age: PositiveDuration | None = Field(
        default=None, description="How long a WebSocket may stay open; then it is closed with 1008. `null`: any time."
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        faults = []
        if self.pays is not None and not self.pays:
            faults.append(Fault(("pays",), "must name somebody; weight: 0 makes a request free"))
        if self.pays is not None and len(set(self.pays)) < len(self.pays):
            faults.append(Fault(("pays",), "names somebody twice"))
        if self.weight == 0:
            faults += [
                Fault((key,), "does nothing where weight is 0")
                for key in ("fallback", "charge", "refund_on", "enforce")
                if (self.frame_weight is None or key in ("charge", "refund_on"))
                and getattr(self, key) != type(self).model_fields[key].default
            ]
        elif self.charge == "on_success" and any(status > 299 for status in self.refund_on):  # noqa: PLR2004
            faults.append(Fault(("refund_on",), "does nothing: charge: on_success charges a 2xx only"))
        fail_on(faults + self._public_faults() + self._socket_faults())
        return self

    def _socket_faults(self) -> list[Fault]:
        """What can be said of WebSockets, each of which begins with a GET."""
        faults = []
        if self.method not in ("GET", "ANY"):
            faults += [
                Fault((key,), f"does nothing: a WebSocket begins with GET, not {self.method}")
                for key in ("frame_weight", "max_age")
                if getattr(self, key) is not None
            ]
        if self.frame_match is not None and self.frame_weight is None:
            faults.append(Fault(("frame_match",), "does nothing without frame_weight"))
        if self.frame_weight is not None and self.public and (self.pays is None or set(self.pays) != {"address"}):
            faults.append(Fault(("frame_weight",), "nobody is known on a public rule: say pays: [address]"))
        return faults

    def _public_faults(self) -> list[Fault]:
        """Nobody has proved anything on a public rule but the address that calls (decisions/0006)."""
        if not self.public:
            return []
        faults = []
        if self.pays is None and self.weight > 0 and "weight" in self.model_fields_set:
            faults.append(Fault(("weight",), "nobody is known on a public rule: say pays: [address] or weight: 0"))
        if self.pays == ("workspace",):
            faults += self._claimed_faults()
        elif self.pays is not None and set(self.pays) != {"address"}:
            faults.append(
                Fault(
                    ("pays",), "on a public rule pays [address], or [workspace] where the path names one, and no other"
                )
            )
        if self.fallback:
            faults.append(Fault(("fallback",), "does nothing on a public rule, which no user pays for"))
        return faults

    def _claimed_faults(self) -> list[Fault]:
        """A workspace that a stranger names pays for what the upstream accepts, when it is too late to refuse."""
        faults = []
        if self.charge != "on_success":
            faults.append(Fault(("pays",), "a workspace that anybody can name pays with charge: on_success only"))
        if self.enforce:
            faults.append(Fault(("pays",), "a workspace that pays afterwards cannot be refused: say enforce: false"))
        return faults
