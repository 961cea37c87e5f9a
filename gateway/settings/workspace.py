"""``workspace``: which workspace a request acts in, and whether it may."""

from typing import Literal, Self

from pydantic import Field, model_validator

from gateway.settings.base import Fault, Section, fail_on
from gateway.settings.names import HeaderName, ScopeId, Text
from gateway.settings.units import Duration, PositiveDuration


class ProbeSettings(Section):
    """The question with which the upstream is asked whether a caller belongs to a workspace."""

    path: Text = Field(
        default="/workspace/{id}", description="What is asked with the caller's own token: 2xx is yes, 4xx is no."
    )
    name: Text | None = Field(
        default="name",
        description="Where a yes says what the workspace is called: a field of its JSON, or a dotted path "
        "(`data.title`). Admins find it by that. `null`: it does not say.",
    )
    policies: Text | None = Field(
        default="/workspace/{id}/member",
        description="The list of members with their policies, asked where the billing API needs `billing.read` or "
        "`billing.manage`. `null`: there is none, so only admins see and change what a workspace has.",
    )
    cache: PositiveDuration = Field(
        default=Duration.parse("60s"),
        description="How long a yes or a no is remembered: how long a removed member can still spend.",
    )
    timeout: PositiveDuration = Field(
        default=Duration.parse("5s"),
        description="How long the answer may take; then the last known good, else 503 and no charge.",
    )

    @model_validator(mode="after")
    def _asks(self) -> Self:
        faults = [
            Fault((name,), "must start with / and contain {id} once, where the workspace goes")
            for name, path in (("path", self.path), ("policies", self.policies))
            if path is not None and not (path.startswith("/") and path.count("{id}") == 1)
        ]
        fail_on(faults)
        return self


class WorkspaceSettings(Section):
    """Which workspace a request acts in, and whether the caller may."""

    header: HeaderName | None = Field(
        default="X-Workspace-ID", description="The header that names the workspace. `null`: none."
    )
    claim: Text | None = Field(
        default=None, description="The claim of the token that names the workspace. `null`: none."
    )
    query: Text | None = Field(default=None, description="The query parameter that names the workspace. `null`: none.")
    param: Text | None = Field(
        default=None,
        description="The path parameter of a rule (`/workspace/{id}/…`) that names the workspace. `null`: none.",
    )
    map: dict[Text, dict[Text, ScopeId]] = Field(
        default={},
        description="Path parameters whose values stand for workspaces: "
        '`{waba_id: {"100200300400500": aa0e8400-…}}`. What is not listed names none.',
    )
    membership: Literal["upstream", "claim", "trust_clients"] = Field(
        default="upstream",
        description="Who says that the caller belongs to the workspace: the upstream is asked, the token's claim "
        "says so (a name, or a list of them), or nobody. `trust_clients` lets any user drain any workspace.",
    )
    probe: ProbeSettings = Field(default=ProbeSettings(), description="How `membership: upstream` asks.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        faults = []
        if self.membership == "claim" and self.claim is None:
            faults.append(Fault(("membership",), "claim needs workspace.claim, the name of the claim"))
        if self.membership != "upstream" and self.probe != ProbeSettings():
            faults.append(Fault(("probe",), f"does nothing with membership: {self.membership}"))
        fail_on(faults)
        return self
