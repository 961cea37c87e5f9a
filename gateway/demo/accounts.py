"""Routes under ``/user`` and ``/workspace``: login, who am I, where do I belong."""

from aiohttp import web

from gateway.demo.data import Member, World, audit
from gateway.demo.exchange import Call, Refused, Served, answer, api_error, page, text
from gateway.demo.identity import ACCESS_S, REFRESH_S, Identity, parse_uuid
from gateway.demo.limiter import Limiter
from gateway.demo.router import Router
from gateway.demo.tokens import TokenError


class Login:
    """``POST /user/oauth/token``: both grants, behind the limiter if there is one."""

    def __init__(self, world: World, identity: Identity, limiter: Limiter | None) -> None:
        self._world, self._identity, self._limiter = world, identity, limiter

    async def serve(self, call: Call) -> web.Response:
        """200 with tokens, 401 for bad credentials, 400 otherwise, 429 over the limit per address and e-mail."""
        try:
            form = call.json_object()
        except Refused as refused:
            form, response = {}, refused.response
        else:
            response = self._grant(form)
        if self._limiter is None:
            return response
        headers = self._limiter.hit(f"{call.request.remote}:{form.get('email') or form.get('username')}")
        if headers is None:
            return self._limiter.refusal("Too many login attempts")
        response.headers.update(headers)
        return response

    def _grant(self, form: dict[str, object]) -> web.Response:
        match form.get("grant_type"):
            case "password":
                return self._password(form.get("username"), form.get("password"))
            case "refresh_token":
                return self._refresh(form.get("refresh_token"))
        return text(400, "unsupported grant type")

    def _password(self, username: object, password: object) -> web.Response:
        if not (isinstance(username, str) and isinstance(password, str) and username and password):
            return api_error(400, "unable to parse JSON into struct", "handler", "missing username or password")
        user = next((user for user in self._world.users.values() if user.email == username), None)
        if user is None:
            return api_error(401, "unable to login", "auth_service", "record not found")
        if user.password != password:
            return api_error(401, "unable to login", "auth_service", "incorrect password")
        return self._tokens(user.id, self._identity.issue(user.id, REFRESH_S))

    def _refresh(self, refresh_token: object) -> web.Response:
        if not (isinstance(refresh_token, str) and refresh_token):
            return api_error(400, "unable to parse JSON into struct", "handler", "missing refresh token")
        try:
            subject = self._identity.subject(refresh_token)
        except TokenError as error:
            return api_error(401, "unable to refresh token", "auth_service", str(error))
        return self._tokens(subject, refresh_token)

    def _tokens(self, user_id: str, refresh_token: str) -> web.Response:
        access = self._identity.issue(user_id, ACCESS_S)
        kind = {"token_type": "bearer", "expires_in": ACCESS_S}
        return answer({"access_token": access, "refresh_token": refresh_token} | kind)


def add_users(router: Router[Served], world: World, identity: Identity, limiter: Limiter | None) -> None:
    """Routes under ``/user``."""

    async def me(call: Call) -> web.Response:
        return answer(call.caller.row())

    async def users(call: Call) -> web.Response:
        return page([user.row() for user in world.users.values()], call.query)

    router.add("GET", "/user/me", Served(me, (identity.require_user,)))
    router.add("GET", "/user", Served(users, (identity.require_user, identity.require_admin)))
    router.add("POST", "/user/oauth/token", Served(Login(world, identity, limiter).serve))


def add_workspaces(router: Router[Served], world: World, identity: Identity) -> None:
    """Routes under ``/workspace``. As there, the *header's* workspace counts and the path's id is not looked at."""

    async def mine(call: Call) -> web.Response:
        found = [w.row() for w in world.workspaces.values() if (w.id, call.caller.id) in world.members]
        return answer(found)

    async def one(call: Call) -> web.Response:
        return answer(world.workspaces[call.workspace].row())

    async def members(call: Call) -> web.Response:
        return answer([member_row(world, m) for m in world.members.values() if m.workspace_id == call.workspace])

    async def phones(call: Call) -> web.Response:
        return page([phone.row() for phone in world.phones if phone.workspace_id == call.workspace], call.query)

    async def phone(call: Call) -> web.Response:
        wanted = parse_uuid(call.params["id"])
        found = next((p for p in world.phones if p.id == wanted and p.workspace_id == call.workspace), None)
        if found is None:
            return api_error(404, "Phone config not found", "handler", "record not found")
        return answer(found.row())

    router.add("GET", "/workspace", Served(mine, identity.signed_in))
    router.add("GET", "/workspace/:workspace_id", Served(one, identity.member()))
    router.add("GET", "/workspace/:workspace_id/member", Served(members, identity.member()))
    router.add("GET", "/workspace/:workspace_id/phone-config", Served(phones, identity.member("phone_config.read")))
    router.add("GET", "/workspace/:workspace_id/phone-config/:id", Served(phone, identity.member("phone_config.read")))


def member_row(world: World, member: Member) -> dict[str, object]:
    """The JSON form, with the whole user in it, hash and all."""
    row: dict[str, object] = {"workspace_id": member.workspace_id, "user_id": member.user_id}
    user = world.users[member.user_id].row()
    return row | {"user": user, "policies": list(member.policies)} | audit(member.id)
