"""A request line that the fast lane takes, and what is known of it once and for all."""

from dataclasses import dataclass

from gateway.core.rules import Rule
from gateway.core.target import Target


@dataclass(frozen=True, slots=True)
class Errand:
    """A request line that the lane takes. ``path_workspace``: the workspace that its path names, as it says it.

    ``asks_workspace``: whether a workspace may have to pay, so that membership matters. ``kinds``: who is asked, in
    order. ``paying``: the same number for all errands that ask the same scopes for the same meter. ``cost``: in units,
    where it is all of one meter. ``always_paid``: whatever is answered. ``head_only``: it is HEAD. ``mark``: what
    identities, and what is said of them upstream, depend on.
    """

    method: str
    target: Target
    path: str
    rule: Rule
    path_workspace: str | None
    asks_workspace: bool
    kinds: tuple[str, ...]
    paying: int
    cost: int
    always_paid: bool
    head_only: bool
    mark: bytes
    said: bytes
    """What the access log says of it."""
