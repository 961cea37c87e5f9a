"""Routes for contacts, messages and statuses, and the two live feeds that tell of new ones."""

import asyncio
import re
from collections.abc import Iterable
from urllib.parse import unquote_plus

import orjson
from aiohttp import web

from gateway.demo.data import World, audit, fixed_id, message_row, status_row
from gateway.demo.exchange import Call, Served, answer, api_error, page
from gateway.demo.identity import Identity
from gateway.demo.router import Router
from gateway.demo.sockets import Feeds

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def add_contacts(router: Router[Served], world: World, identity: Identity) -> None:
    """``GET`` and ``POST /contact``."""

    async def contacts(call: Call) -> web.Response:
        return page(list(world.contacts[call.workspace]), call.query)

    async def create(call: Call) -> web.Response:
        form = call.json_object()
        if not isinstance(form.get("name"), str):
            return api_error(400, "unable to validate object", "handler", "name is required")
        rows = world.contacts[call.workspace]
        contact = {"name": form["name"], "email": form.get("email")} | audit(fixed_id(f"contact/{form['name']}"))
        rows.appendleft(contact)
        return answer(contact, 201)

    router.add("GET", "/contact", Served(contacts, identity.member("contact.read")))
    router.add("POST", "/contact", Served(create, identity.member("contact.manage")))


class Sending:
    """``POST /message/whatsapp``: slow, as the real one waits for Meta; answers 201 and tells the live feeds."""

    def __init__(self, world: World, feeds: Feeds, delay_s: float) -> None:
        self._world, self._feeds, self._delay_s = world, feeds, delay_s
        self._count = 1_000

    async def serve(self, call: Call) -> web.Response:
        """Wait, keep the message, tell the feeds, answer 201. The client's leaving does not stop it."""
        form = call.json_object()
        await asyncio.sleep(self._delay_s)
        self._count += 1
        message = message_row(call.workspace, "", self._count) | {"sender_data": form.get("sender_data", form)}
        status = status_row(message)
        self._world.messages[call.workspace].appendleft(message)
        self._world.statuses.appendleft(status)
        await self._feeds.tell("message", call.workspace, message)
        await self._feeds.tell("status", call.workspace, status)
        return answer(message, 201)


def add_messages(router: Router[Served], world: World, identity: Identity, sending: Sending) -> None:
    """Routes under ``/message`` and ``/status`` (whose rows all users share, as there)."""
    reads = identity.member("message.read")

    async def messages(call: Call) -> web.Response:
        return page(list(world.messages[call.workspace]), call.query)

    async def count(call: Call) -> web.Response:
        return answer(len(world.messages[call.workspace]))

    async def like(call: Call) -> web.Response:
        return _search(world.messages[call.workspace], call)

    async def statuses(call: Call) -> web.Response:
        return page(list(world.statuses), call.query)

    async def statuses_like(call: Call) -> web.Response:
        return _search(world.statuses, call)

    router.add("GET", "/message", Served(messages, reads))
    router.add("GET", "/message/count", Served(count, reads))
    router.add("GET", "/message/content/like/:text", Served(like, reads))
    router.add("GET", "/message/content/:key/like/:text", Served(like, reads))
    router.add("POST", "/message/whatsapp", Served(sending.serve, identity.member("message.send")))
    router.add("GET", "/status", Served(statuses, identity.signed_in))
    router.add("GET", "/status/content/:key/like/:text", Served(statuses_like, identity.signed_in))


def _search(rows: Iterable[dict[str, object]], call: Call) -> web.Response:
    """Rows whose field (or any) holds the text; the parameter comes raw and is decoded here, by the handler."""
    if _BAD_ESCAPE.search(call.params["text"]):
        return api_error(400, "unable to decode likeText", "net/url", "invalid URL escape")
    wanted = unquote_plus(call.params["text"]).lower()
    key = call.params.get("key")
    found = [row for row in rows if wanted in orjson.dumps(row if key is None else row.get(key)).decode().lower()]
    return page(found, call.query)
