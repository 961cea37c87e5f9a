"""A request line that the fast lane takes, and what is known of it once and for all."""

from dataclasses import dataclass

from gateway.core.rules import Rule
from gateway.core.target import Target


@dataclass(frozen=True, slots=True)
class Errand:
    """A request line that the lane takes. ``path_workspace``: the workspace that its path names, as it says it.

    ``asks_workspace``: whether a workspace may have to pay, so that membership matters.
    """

    method: str
    target: Target
    path: str
    rule: Rule
    path_workspace: str | None
    asks_workspace: bool
    said: bytes
    """What the access log says of it."""
