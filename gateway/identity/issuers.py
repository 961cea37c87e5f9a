"""Whose tokens count: where each issuer's keys come from, and what its claims mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.scope import ID_LENGTH, normalise_id
from gateway.identity.credential import AGAIN, Credential, unauthorized
from gateway.identity.keys import Key

_LAST_US = 2**62


class NeedsKeys(Exception):  # noqa: N818  (not an error: the answer is to fetch and ask again)
    """The signature cannot be judged before ``keys`` were fetched."""

    def __init__(self, keys: "KeySource") -> None:
        super().__init__("the signing keys have to be fetched")
        self.keys = keys


class KeySource(Protocol):
    """Where an issuer's keys come from. ``generation`` changes when a token that was good may not be any more."""

    generation: int

    def find(self, algorithm: str, kid: str | None, now_us: int) -> Sequence[Key]:
        """The keys a token of that header may be signed with. Raises ``NeedsKeys`` if they have to be fetched first.

        Raises ``StoreUnavailable`` if they could not be fetched a moment ago.
        """
        ...

    async def refresh(self, now_us: int) -> None:
        """Fetch the keys; returns also when that failed. The next ``find`` does not raise for the same header."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One party whose tokens count, and how its claims are read.

    ``name``: what ``iss`` must say (``None``: not looked at). ``audience``: ``aud`` must hold one of them (empty: not
    looked at). ``*_claim``: the claim's name, or a dotted path into objects. ``user_prefix`` keeps the users of several
    issuers apart. ``leeway_us`` forgives clocks that differ. ``admin_claims``: what tokens of global admins say.
    """

    keys: KeySource
    algorithms: frozenset[str]
    name: str | None = None
    audience: frozenset[str] = frozenset()
    user_claim: str = "sub"
    user_prefix: str = ""
    role_claim: str | None = None
    workspace_claim: str | None = None
    leeway_us: int = 0
    require_exp: bool = True
    admin_claims: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.leeway_us < 0:
            raise ValueError("the leeway must not be negative")
        if not self.user_claim:
            raise ValueError("the claim that names the user must have a name")

    def made_for_us(self, claims: Mapping[str, object]) -> bool:
        """Whether the token's ``aud`` is one that counts (RFC 7519, 4.1.3: a string, or a list of them)."""
        if not self.audience:
            return True
        named = claims.get("aud")
        audience = named if isinstance(named, list) else [named]
        return any(isinstance(one, str) and one in self.audience for one in audience)

    def credential(self, claims: Mapping[str, object]) -> Credential:
        """What verified ``claims`` say. Raises ``Unauthorized`` if they do not say who, or until when."""
        expires_us = _instant_us(claims, "exp")
        if expires_us is None and self.require_exp:
            raise unauthorized(f"The token never expires ('exp' is missing), which is not accepted here. {AGAIN}")
        not_before_us = _instant_us(claims, "nbf")
        user = self._user(claims)
        workspace, workspaces = self._workspaces(claims)
        role = claim_at(claims, self.role_claim) if self.role_claim else None
        return Credential(
            proof="jwt",
            user=user,
            workspace=workspace,
            workspaces=workspaces,
            role=normalise_id(role) if isinstance(role, str) else None,
            admin=self._is_admin(claims),
            not_before_us=None if not_before_us is None else not_before_us - self.leeway_us,
            expires_us=None if expires_us is None else expires_us + self.leeway_us,
        )

    def _user(self, claims: Mapping[str, object]) -> str:
        named = claim_at(claims, self.user_claim)
        user = normalise_id(named) if isinstance(named, str) else None
        if user is None or len(self.user_prefix) + len(user) > ID_LENGTH:
            raise unauthorized(f"The token's '{self.user_claim}' does not name a user: it must be a non-empty string.")
        return self.user_prefix + user

    def _is_admin(self, claims: Mapping[str, object]) -> bool:
        """Whether each of ``admin_claims`` is there: as it is, or in a list."""
        held = ((claim_at(claims, name), value) for name, value in self.admin_claims.items())
        return bool(self.admin_claims) and all(
            value in found if isinstance(found, list) else found == value for found, value in held
        )

    def _workspaces(self, claims: Mapping[str, object]) -> tuple[str | None, frozenset[str]]:
        """A string names the workspace the token speaks for; a list, or an object's keys, those its user belongs to."""
        if self.workspace_claim is None:
            return None, frozenset()
        match claim_at(claims, self.workspace_claim):
            case None:
                return None, frozenset()
            case str(text) if (one := normalise_id(text)) is not None:
                return one, frozenset({one})
            case list() | dict() as texts:
                ids = (normalise_id(text) for text in texts if isinstance(text, str))
                return None, frozenset(id_ for id_ in ids if id_ is not None)
            case _:
                raise unauthorized(f"The token's '{self.workspace_claim}' does not name a workspace. {AGAIN}")


def _instant_us(claims: Mapping[str, object], name: str) -> int | None:
    """A NumericDate (RFC 7519, 2; seconds, perhaps with a fraction) in microseconds."""
    match claims.get(name):
        case None:
            return None
        case bool():
            pass
        case int(seconds):
            return max(-_LAST_US, min(seconds * 1_000_000, _LAST_US))
        case float(seconds) if math.isfinite(seconds):
            return max(-_LAST_US, min(int(seconds * 1_000_000), _LAST_US))
    raise unauthorized(f"The token's '{name}' is not a number of seconds. {AGAIN}")


def claim_at(claims: Mapping[str, object], path: str) -> object:
    """The claim of that name, else what a dotted path leads to (``realm_access.role``), else ``None``."""
    if path in claims:
        return claims[path]
    found: object = claims
    for step in path.split("."):
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return found
