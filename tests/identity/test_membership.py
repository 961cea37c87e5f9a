import pytest

from gateway.core.principal import Principal
from gateway.core.problems import Forbidden
from gateway.identity.config import Identified
from gateway.identity.credential import Credential
from gateway.identity.membership import ByClaim, TrustClients
from tests.identity.tokens import NOW, OTHER, USER, WORKSPACE, bearer, config, hmac_issuer, identify, token

ANYBODY = Identified(Principal("jwt", USER), credential=Credential(proof="jwt", user=USER))


async def test_trust_clients_takes_every_users_word_and_nobody_elses() -> None:
    trusting = TrustClients()
    assert trusting.known(ANYBODY, WORKSPACE, NOW)
    assert await trusting.ask(ANYBODY, (), WORKSPACE, NOW) is None
    anonymous = Identified(Principal("anonymous"))
    assert not trusting.known(anonymous, WORKSPACE, NOW)
    with pytest.raises(Forbidden):
        await trusting.ask(anonymous, (), WORKSPACE, NOW)
    trusting.forget()


async def test_by_claim_only_the_listed_workspaces_are_the_users() -> None:
    ways = config(issuers=(hmac_issuer(workspace_claim="app.workspaces"),))
    who = identify(ways, [bearer(token(app={"workspaces": [WORKSPACE.upper(), 7, ""]}))])
    by_claim = ByClaim()
    assert who.asked is None
    assert by_claim.known(who, WORKSPACE, NOW)
    assert await by_claim.ask(who, (), WORKSPACE, NOW) is None
    for stranger, workspace in ((who, OTHER), (ANYBODY, WORKSPACE), (Identified(Principal("anonymous")), WORKSPACE)):
        assert not by_claim.known(stranger, workspace, NOW)
        with pytest.raises(Forbidden):
            await by_claim.ask(stranger, (), workspace, NOW)
    by_claim.forget()


async def test_a_workspace_that_the_token_speaks_for_is_a_membership_by_claim() -> None:
    who = identify(config(issuers=(hmac_issuer(workspace_claim="ws"),)), [bearer(token(ws=WORKSPACE))])
    assert ByClaim().known(who, WORKSPACE, NOW)
