"""What Meta calls: one route per active phone config, signed with its app secret."""

import hashlib
import hmac

from aiohttp import web

from gateway.demo.data import PhoneConfig, World
from gateway.demo.exchange import Call, Served, text
from gateway.demo.router import Router


def signature(secret: str, body: bytes) -> str:
    """The value of ``X-Hub-Signature-256`` for a raw body."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def add_webhooks(router: Router[Served], world: World) -> None:
    """``GET`` (verification) and ``POST /webhook-in/{waba_id}``; unknown and inactive ones have no route: 404."""
    for phone in world.phones:
        if phone.is_active:
            hook = _Hook(phone)
            router.add("GET", f"/webhook-in/{phone.waba_id}", Served(hook.verify))
            router.add("POST", f"/webhook-in/{phone.waba_id}", Served(hook.receive))


class _Hook:
    def __init__(self, phone: PhoneConfig) -> None:
        self._phone = phone

    async def verify(self, call: Call) -> web.Response:
        if call.query.get("hub.verify_token") != self._phone.verify_token:
            return text(403, "Forbidden")
        return text(200, call.query.get("hub.challenge", ""))

    async def receive(self, call: Call) -> web.Response:
        secret = self._phone.app_secret
        given = call.header("X-Hub-Signature-256").encode("utf-8", "surrogateescape")
        if secret and not hmac.compare_digest(given, signature(secret, call.body).encode()):
            return text(401, "Unauthorized")
        return text(200, "OK")
