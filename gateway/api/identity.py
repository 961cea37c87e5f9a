"""What is needed to tell who calls one of our own routes, as it is configured now."""

from dataclasses import dataclass

from gateway.identity.admin_login import AdminLogin
from gateway.identity.authenticate import Authenticator
from gateway.identity.membership import Membership
from gateway.identity.policy_probe import PolicyProbe
from gateway.identity.profile_probe import ProfileProbe

ADMIN_ROLE = "admin"
"""The role that makes an admin where the upstream is asked (wacraft.md 1.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """``policies`` ``None``: nobody tells what members may do. ``profiles`` ``None``: the upstream makes no admins.

    ``users``: who are admins. ``login`` ``None``: there is no password of the gateway's own. ``carriers``: query
    parameters that say who asks or for what. ``claims_members``: a workspace's members are known by their credential.
    """

    authenticator: Authenticator
    membership: Membership
    policies: PolicyProbe | None = None
    profiles: ProfileProbe | None = None
    users: frozenset[str] = frozenset()
    login: AdminLogin | None = None
    carriers: frozenset[str] = frozenset()
    members_known: bool = False
