"""Whose a subscription is, for routes that act on one."""

from gateway.api.audience import Policy
from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.billing.subscriptions import Viewer, seen
from gateway.core.problems import NotFound
from gateway.core.scope import canonical_uuid
from gateway.store.rows import SubscriptionRow


async def viewer_of(call: Call) -> Viewer:
    """Who looks."""
    return Viewer(call.caller.user, call.caller.workspace, admin=await call.caller.is_admin())


async def owned(call: Call, desk: Desk, id_: str, policy: Policy = Policy.MANAGE) -> tuple[SubscriptionRow, Viewer]:
    """A subscription that the caller may act on, and as whom. ``policy``: the one that the route asks for.

    A workspace's belongs to the workspace, not to whoever once bought it: where the request does not name that
    workspace, as clients may leave out what the id says already, its policies are asked for all the same.

    Raises ``NotFound`` for what the caller may not even see, the same whether it exists or not, and as ``Gate.vouch``.
    """
    found = canonical_uuid(id_)
    if found is None:
        raise NotFound("There is no such subscription: its id is a UUID.")
    who = await viewer_of(call)
    row = await seen(desk.store, found, who)
    if not who.manages(row):
        await desk.gate.vouch(policy, call.caller, row.scope.id, call.knock)
        who = who._replace(workspace=row.scope.id)
    return row, who
