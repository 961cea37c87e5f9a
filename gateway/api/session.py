"""Who is there: what the caller may do here, and what there is to know before one has a credential."""

from typing import Literal

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import Told
from gateway.api.reply import Reply
from gateway.api.route import Policy, Who, route


class Me(Told):
    """Who calls, as the gateway sees it. ``policies``: in the workspace that was named, where they were asked for."""

    user_id: str | None = None
    workspace_id: str | None = None
    admin: bool
    via: Literal["jwt", "api_key", "peer", "admin_login"]
    policies: list[str]


async def me(call: Call, _desk: Desk) -> Reply:
    """Who calls, and what that allows."""
    caller = call.caller
    assert caller.via != "anonymous"  # noqa: S101  (the route is for users)
    return Reply(
        Me(
            user_id=caller.user,
            workspace_id=caller.workspace,
            admin=await caller.is_admin(),
            via=caller.via,
            policies=sorted(caller.policies),
        )
    )


ROUTES = (route("GET", "/me", me, who=Who.USER, policy=Policy.MEMBER, tells=Me),)
