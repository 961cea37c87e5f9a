"""What a good credential says, and how to answer for a bad one."""

from dataclasses import dataclass

from gateway.core.principal import Proof
from gateway.core.problems import BadRequest, Unauthorized

ADMIN_PREFIX = b"wbadmin_"
"""How the token of the gateway's own admin begins: for our own routes alone, and never to go upstream."""
AGAIN = "Get a new token and send it as 'Authorization: Bearer <token>'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential that was checked.

    ``workspace``: the one workspace it speaks for, if it names one. ``workspaces``: all that it says its user belongs
    to. ``bound``: it is good for ``workspace`` alone, and whoever made it vouches for the membership. ``admin``: it
    says what ``admins.claim`` asks for. ``key``: the id of the API key that it is. Valid while
    ``not_before_us <= now_us < expires_us`` (leeway included), where they are set.
    """

    proof: Proof
    user: str | None
    workspace: str | None = None
    workspaces: frozenset[str] = frozenset()
    bound: bool = False
    role: str | None = None
    admin: bool = False
    not_before_us: int | None = None
    expires_us: int | None = None
    key: str | None = None


def unauthorized(message: str, *, invalid: bool = True) -> Unauthorized:
    """A 401 with its challenge (RFC 6750, 3): ``invalid`` when a credential came and was not good."""
    challenge = b'Bearer error="invalid_token"' if invalid else b"Bearer"
    return Unauthorized(message, headers=((b"WWW-Authenticate", challenge),))


def in_time(credential: Credential, now_us: int) -> bool:
    """Whether ``credential`` is valid at ``now_us``."""
    return (credential.expires_us is None or now_us < credential.expires_us) and (
        credential.not_before_us is None or now_us >= credential.not_before_us
    )


def check_time(credential: Credential, now_us: int) -> None:
    """Raise ``Unauthorized`` unless ``credential`` is valid at ``now_us``."""
    if credential.expires_us is not None and now_us >= credential.expires_us:
        raise unauthorized(f"The credential has expired. {AGAIN}")
    if credential.not_before_us is not None and now_us < credential.not_before_us:
        raise unauthorized("The token is not valid yet ('nbf' is in the future). Try again later, or check the clocks.")


def together(first: Credential, second: Credential) -> Credential:
    """What two credentials of one request say. They must not contradict each other: ``BadRequest`` if they do.

    Which of two users the upstream would believe cannot be known, so neither may be charged for the other.
    """
    starts = [at for at in (first.not_before_us, second.not_before_us) if at is not None]
    ends = [at for at in (first.expires_us, second.expires_us) if at is not None]
    return Credential(
        proof=first.proof,
        user=_same(first.user, second.user, "users"),
        workspace=_same(first.workspace, second.workspace, "workspaces"),
        workspaces=first.workspaces | second.workspaces,
        bound=first.bound or second.bound,
        role=first.role or second.role,
        admin=first.admin or second.admin,
        not_before_us=max(starts, default=None),
        expires_us=min(ends, default=None),
    )


def _same(one: str | None, other: str | None, what: str) -> str | None:
    if one is not None and other is not None and one != other:
        raise BadRequest(f"The request carries credentials of two different {what}. Send one of them.")
    return one if one is not None else other
