"""The routes of wacraft that need no behaviour of their own here, so that no request of its client finds a 404.

Each line: class (``P`` for everybody, ``U`` with a token, ``N`` with a verified address too, ``A`` with the role admin,
``R`` a member of the workspace), methods, path, what it answers, and for ``R`` the policy that is asked for. Nothing is
changed by any of them.
"""

from collections.abc import Callable

from aiohttp import web

from gateway.demo.accounts import member_row
from gateway.demo.data import PICTURE, World
from gateway.demo.exchange import Call, Guard, Handler, Served, answer, page, text
from gateway.demo.identity import Identity
from gateway.demo.router import Router

_ROUTES = """
P GET /docs/** docs
P GET,POST /webhook-in said
N POST /auth/invitation/claim said
U PUT /user/me me
U DELETE /user/me gone
A GET /user/content/:key/like/:text users
A POST,PUT /user me
A DELETE /user gone
N POST /workspace said
N GET /status/count count
N GET /status/content/like/:text list
N GET /status/whatsapp/wam-id/:wam_id said
R PATCH /workspace/:workspace_id said workspace.settings
R DELETE /workspace/:workspace_id gone workspace.admin
R POST /workspace/:workspace_id/member member workspace.members
R PATCH /workspace/:workspace_id/member/:user_id member workspace.members
R DELETE /workspace/:workspace_id/member/:user_id gone workspace.members
R GET /workspace/:workspace_id/invitation list workspace.members
R POST /workspace/:workspace_id/invitation said workspace.members
R DELETE /workspace/:workspace_id/invitation/:invitation_id gone workspace.members
R POST /workspace/:workspace_id/phone-config said phone_config.manage
R PATCH /workspace/:workspace_id/phone-config/:id said phone_config.manage
R DELETE /workspace/:workspace_id/phone-config/:id gone phone_config.manage
R POST /workspace/:workspace_id/phone-config/:id/request-code said phone_config.manage
R POST /workspace/:workspace_id/phone-config/:id/verify-code said phone_config.manage
R POST /workspace/:workspace_id/phone-config/:id/pin-authenticate said phone_config.manage
R POST /workspace/:workspace_id/phone-config/:id/register said phone_config.manage
R POST /workspace/:workspace_id/phone-config/:id/deregister said phone_config.manage
R PUT /contact said contact.manage
R DELETE /contact gone contact.manage
R GET /messaging-product list
R GET /messaging-product/contact list contact.read
R POST /messaging-product/contact said contact.manage
R DELETE /messaging-product/contact gone contact.manage
R GET /messaging-product/contact/whatsapp list contact.read
R POST /messaging-product/contact/whatsapp said contact.manage
R PATCH,DELETE /messaging-product/contact/block gone contact.manage
R PUT /messaging-product/contact/last-read-at/:id said contact.manage
R GET /messaging-product/contact/content/like/:text list contact.read
R GET /messaging-product/contact/count/content/like/:text count contact.read
R GET /message/whatsapp/wam-id/:wam_id said message.read
R GET /message/whatsapp missing
R POST /message/whatsapp/mark-as-read said message.send
R POST /message/whatsapp/send-typing said message.send
R GET /message/count/content/like/:text count message.read
R GET /message/conversation list message.read
R GET /message/conversation/content/like/:text list message.read
R GET /message/conversation/count count message.read
R GET /message/conversation/count/content/like/:text count message.read
R GET /message/conversation/messaging-product-contact/:id list message.read
R GET /message/conversation/messaging-product-contact/:id/content/like/:text list message.read
R GET /message/conversation/count/messaging-product-contact/:id count message.read
R GET /message/conversation/count/messaging-product-contact/:id/content/like/:text count message.read
R POST /media/whatsapp/media-info/download picture
R GET /campaign list campaign.read
R POST,PATCH /campaign said campaign.manage
R DELETE /campaign gone campaign.manage
R GET /campaign/content/:key/like/:text list campaign.read
R POST /campaign/schedule said campaign.run
R DELETE /campaign/schedule gone campaign.run
R GET /campaign/message list campaign.read
R POST /campaign/message said campaign.run
R DELETE /campaign/message gone campaign.manage
R GET /campaign/message/sent list campaign.read
R GET /campaign/message/unsent list campaign.read
R GET /campaign/message/count count campaign.read
R GET /campaign/message/count/sent count campaign.read
R GET /campaign/message/count/unsent count campaign.read
R GET /campaign/error list campaign.read
R GET /webhook list webhook.read
R POST,PUT /webhook said webhook.manage
R DELETE /webhook gone webhook.manage
R GET /webhook/content/:key/like/:text list webhook.read
R POST /webhook/test said webhook.manage
R GET /webhook/log list webhook.read
R POST /webhook/log/send list webhook.read
R GET /whatsapp-template list
"""


def add_rest(router: Router[Served], world: World, identity: Identity) -> None:
    """All routes of this module, behind those that are there."""
    answers = _answers(world)
    for line in _ROUTES.split("\n"):
        if line:
            class_, methods, path, said, *policies = line.split()
            for method in methods.split(","):
                router.add(method, path, Served(answers[said], _guards(identity, class_, policies)))


def _guards(identity: Identity, class_: str, policies: list[str]) -> tuple[Guard, ...]:
    kinds: dict[str, Callable[[], tuple[Guard, ...]]] = {
        "P": lambda: (),
        "U": lambda: (identity.require_user,),
        "N": lambda: identity.signed_in,
        "A": lambda: (identity.require_user, identity.require_admin),
        "R": lambda: identity.member(*policies),
    }
    return kinds[class_]()


async def _list(call: Call) -> web.Response:
    return page([], call.query)


async def _count(_call: Call) -> web.Response:
    return answer(0)


async def _said(call: Call) -> web.Response:
    return answer({"method": call.request.method}, _status(call))


async def _gone(_call: Call) -> web.Response:
    return web.Response(status=204)


async def _missing(call: Call) -> web.Response:
    return text(404, f"Cannot {call.request.method} {call.path}")


async def _docs(_call: Call) -> web.Response:
    return web.Response(text="<!doctype html><title>Swagger UI</title>", content_type="text/html")


async def _picture(_call: Call) -> web.Response:
    return web.Response(body=PICTURE.content, content_type=PICTURE.mime_type)


async def _me(call: Call) -> web.Response:
    return answer(call.caller.row(), _status(call))


def _answers(world: World) -> dict[str, Handler]:
    async def users(call: Call) -> web.Response:
        return page([user.row() for user in world.users.values()], call.query)

    async def member(call: Call) -> web.Response:
        return answer(member_row(world, world.members[call.workspace, call.caller.id]), _status(call))

    plain = {"list": _list, "count": _count, "said": _said, "gone": _gone, "missing": _missing, "me": _me}
    return {**plain, "docs": _docs, "picture": _picture, "users": users, "member": member}


def _status(call: Call) -> int:
    return 201 if call.request.method == "POST" else 200
