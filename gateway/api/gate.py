"""Who calls, and whether they may: the default is no.

A route says whom it answers. Whoever names a workspace must belong to it, as for requests that go upstream, and hold
the policy that the route asks for; global admins may everywhere.
"""

from collections.abc import Callable

from gateway.api.audience import Policy, Who
from gateway.api.call import Caller, Knock
from gateway.api.identity import ADMIN_ROLE, Identity
from gateway.core.problems import BadRequest, Forbidden
from gateway.identity.asking import NOBODY_KNOWS
from gateway.identity.config import Identified
from gateway.identity.credential import ADMIN_PREFIX, unauthorized
from gateway.identity.membership import Carried, Relayed, vouched
from gateway.identity.policy_probe import EVERYTHING

_BEARER = b"bearer "


class Gate:
    """Tells who calls, and lets in. ``identity``: as it is now."""

    def __init__(self, identity: Callable[[], Identity]) -> None:
        self._identity = identity

    async def identify(self, audience: Who, knock: Knock) -> Caller:
        """Who calls. Raises ``Unauthorized`` for nobody where somebody is needed, and as ``Authenticator.identify``."""
        identity = self._identity()
        authenticator = identity.authenticator
        if audience in (Who.ANYBODY, Who.SIGNED):
            return Caller("anonymous", address=address_of(identity, knock))
        if (token := _admin_token(knock)) is not None:
            if identity.login is None:
                raise unauthorized("There is no admin's login here.")
            await identity.login.check(token, knock.at_us)
            asked = authenticator.asked(knock.headers, knock.query)
            return Caller("admin_login", address=address_of(identity, knock), asked=asked, admin=True)
        identified = await authenticator.identify(knock.headers, knock.query, knock.peer, knock.at_us)
        who = identified.principal
        if not who.verified:
            raise unauthorized("This needs a credential. Send 'Authorization: Bearer <token>'.", invalid=False)

        async def ask_admin() -> bool:
            try:
                return await self._is_admin(identity, identified, knock)
            except NOBODY_KNOWS:
                return False

        return Caller(who.proof, who.user, who.address, identified.asked, identified=identified, ask_admin=ask_admin)

    async def admit(self, audience: Who, policy: Policy | None, caller: Caller, knock: Knock) -> Relayed | None:
        """Let in, or the upstream's refusal. Raises ``Forbidden``, or as ``NOBODY_KNOWS``."""
        match audience:
            case Who.ANYBODY | Who.SIGNED:
                return None
            case Who.ADMIN:
                await self._require_admin(caller, knock)
                return None
            case Who.USER if policy is None or caller.asked is None:
                return None
            case Who.USER:
                return await self._enter(policy, caller, caller.asked, knock)

    async def vouch(self, policy: Policy, caller: Caller, workspace: str, knock: Knock) -> None:
        """Whether the caller may act for a workspace that something belongs to, which the request does not name.

        Raises ``Forbidden``, or as ``NOBODY_KNOWS``.
        """
        refusal = await self._refusal(policy, caller, workspace, knock)
        if isinstance(refusal, Forbidden):
            raise refusal
        if refusal is not None:
            raise Forbidden("This belongs to a workspace that you cannot act for any more.")

    async def learn_policies(self, caller: Caller, knock: Knock) -> None:
        """Find out ``caller.policies`` in its workspace, as far as that is known."""
        identity = self._identity()
        if caller.workspace is None or caller.identified is None or identity.policies is None:
            return
        carried = identity.authenticator.carried(knock.headers, knock.query)
        try:
            held = await identity.policies.ask(caller.identified, carried, caller.workspace, knock.at_us)
        except NOBODY_KNOWS:
            return
        if isinstance(held, frozenset):
            caller.policies = held

    async def _require_admin(self, caller: Caller, knock: Knock) -> None:
        if caller.identified is not None:
            # Not through ``is_admin``: here it matters whether nobody knows.
            if not await self._is_admin(self._identity(), caller.identified, knock):
                raise Forbidden("Only admins of this gateway may do this.")
        elif not await caller.is_admin():
            raise Forbidden("Only admins of this gateway may do this.")
        caller.admin = True

    async def _is_admin(self, identity: Identity, identified: Identified, knock: Knock) -> bool:
        if _named(identity, identified):
            return True
        if identity.profiles is None or identified.credential is None or identified.credential.bound:
            return False
        carried = identity.authenticator.carried(knock.headers, knock.query)
        profile = await identity.profiles.ask(identified, carried, knock.at_us)
        return profile is not None and not isinstance(profile, Relayed) and profile.role == ADMIN_ROLE

    async def _enter(self, policy: Policy, caller: Caller, workspace: str, knock: Knock) -> Relayed | None:
        """Set ``caller.workspace``, if it may act there."""
        refusal = await self._refusal(policy, caller, workspace, knock)
        if isinstance(refusal, Forbidden):
            raise refusal
        if refusal is None:
            caller.workspace = workspace
        return refusal

    async def _refusal(
        self, policy: Policy, caller: Caller, workspace: str, knock: Knock
    ) -> Relayed | Forbidden | None:
        refusal: Relayed | Forbidden | None
        if caller.admin or _named(self._identity(), caller.identified):  # nobody has to be asked about these
            caller.admin, refusal = True, None
        elif caller.identified is None:
            refusal = Forbidden("Only admins of this gateway may do this.")
        else:
            refusal = await self._judge(policy, caller, caller.identified, workspace, knock)
        return None if refusal is None or await caller.is_admin() else refusal

    async def _judge(
        self, policy: Policy, caller: Caller, who: Identified, workspace: str, knock: Knock
    ) -> Relayed | Forbidden | None:
        identity = self._identity()
        carried = identity.authenticator.carried(knock.headers, knock.query)
        if policy is Policy.MEMBER:
            return await self._belongs(identity, who, carried, workspace, knock.at_us)
        held = None
        if identity.policies is not None:
            held = await identity.policies.ask(who, carried, workspace, knock.at_us)
        if held is None:
            return Forbidden("Nothing here tells what you may do in this workspace, so only admins may do this for it.")
        if isinstance(held, Relayed):
            return held
        caller.policies = held
        if policy.value in held or EVERYTHING in held:
            return None
        return Forbidden(f"Your policies in this workspace do not include {policy.value}.")

    async def _belongs(
        self, identity: Identity, who: Identified, carried: Carried, workspace: str, now_us: int
    ) -> Relayed | Forbidden | None:
        if vouched(who, workspace):
            return None
        if not identity.members_known:
            return Forbidden("Nothing here tells who belongs to a workspace, so only admins may do this for one.")
        try:
            return await identity.membership.ask(who, carried, workspace, now_us)
        except Forbidden as problem:
            return problem


def _named(identity: Identity, identified: Identified | None) -> bool:
    """Whether the configuration, or the credential itself, says that this is an admin."""
    credential = None if identified is None else identified.credential
    if credential is None or credential.bound:  # what is good for one workspace alone is no admin's
        return False
    return credential.admin or (credential.user is not None and credential.user in identity.users)


def address_of(identity: Identity, knock: Knock) -> str | None:
    """The client's network."""
    return identity.authenticator.nobody(knock.headers, knock.peer).principal.address


def _admin_token(knock: Knock) -> bytes | None:
    """The token of an admin's login, if the request carries one."""
    found = [value for name, value in knock.headers if name.lower() == b"authorization"]
    tokens = [value[len(_BEARER) :].strip() for value in found if value[: len(_BEARER)].lower() == _BEARER]
    if not any(token.startswith(ADMIN_PREFIX) for token in tokens):
        return None
    if len(found) > 1:
        raise BadRequest("The header 'Authorization' is there twice. Send it once.")
    return tokens[0]
