"""Routes under ``/auth``: sign-up and recovery, each behind a limiter that counts addresses, as there."""

import uuid
from collections.abc import Callable

from aiohttp import web

from gateway.demo.data import POLICIES, Member, User, Workspace, World
from gateway.demo.exchange import Call, Handler, Served, answer, api_error
from gateway.demo.limiter import Limiter
from gateway.demo.router import Router

_HOUR_S = 3_600
_LIMITS = {"register": 5, "resend-verification": 5, "forgot-password": 5, "reset-password": 10}
"""Requests of an address in an hour."""


def add_sign_up(router: Router[Served], world: World, clock: Callable[[], int], *, limited: bool) -> None:
    """All routes of this module. ``limited`` false: as with ``RATE_LIMIT_ENABLED=false``."""
    handlers: dict[str, Handler] = {"register": _register(world), "reset-password": _done}
    for name, limit in _LIMITS.items():
        handler = handlers.get(name, _done)
        serve = _behind(Limiter(limit, _HOUR_S, clock), handler) if limited else handler
        router.add("POST", f"/auth/{name}", Served(serve))
    router.add("GET", "/auth/verify-email", Served(_verify(world)))


def _behind(limiter: Limiter, handler: Handler) -> Handler:
    async def serve(call: Call) -> web.StreamResponse:
        headers = limiter.hit(str(call.request.remote))
        if headers is None:
            return limiter.refusal("Too many requests")
        response = await handler(call)
        response.headers.update(headers)
        return response

    return serve


def _register(world: World) -> Handler:
    async def register(call: Call) -> web.Response:
        """A user, not verified yet, with a workspace of their own in which they may do everything."""
        form = call.json_object()
        name, email, password = (form.get(key) for key in ("name", "email", "password"))
        if not (isinstance(name, str) and isinstance(email, str) and isinstance(password, str)):
            return api_error(400, "unable to validate object", "handler", "name, email and password are required")
        if world.user(email) is not None:
            return api_error(409, "unable to register", "auth_service", "duplicated key not allowed")
        user = User(str(uuid.uuid4()), name, email, password, email_verified=False)
        workspace = Workspace(str(uuid.uuid4()), f"{name}'s workspace", user.id, user.id)
        world.join(user, workspace, Member(str(uuid.uuid4()), workspace.id, user.id, POLICIES))
        return answer(user.row(), 201)

    return register


def _verify(world: World) -> Handler:
    async def verify(call: Call) -> web.Response:
        """The token that would come by mail is the user's id."""
        if not world.verify(call.query.get("token", "")):
            return api_error(400, "invalid or expired token", "auth_service", "record not found")
        return answer({"message": "email verified"})

    return verify


async def _done(call: Call) -> web.Response:
    """The same answer whoever is named: it does not tell who exists."""
    call.json_object()
    return answer({"message": "if the address is known, a mail is on its way"})
