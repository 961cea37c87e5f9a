"""Who calls: tokens, and the guards before the routes, with wacraft's statuses in wacraft's order."""

import re
from collections.abc import Callable

from gateway.demo.data import Member, User, World
from gateway.demo.exchange import Call, Guard, Refused, answer, api_error, text
from gateway.demo.tokens import TokenError, read, sign

ACCESS_S, REFRESH_S = 3_600, 7 * 24 * 3_600
ISSUER = "wacraft-server"

_HEX = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def parse_uuid(value: str) -> str | None:
    """The canonical form of a UUID in any spelling that google/uuid takes, or ``None``.

    Canonical; with ``urn:uuid:`` before it; 38 characters with *any* first and last one; 32 hex digits. Any case.
    """
    folded = value.lower()
    if len(folded) == 45 and folded.startswith("urn:uuid:"):  # noqa: PLR2004  (9 + 36)
        folded = folded[9:]
    elif len(folded) == 38:  # noqa: PLR2004  (36 between brackets, which nobody looks at)
        folded = folded[1:-1]
    if _HEX.fullmatch(folded):
        return f"{folded[:8]}-{folded[8:12]}-{folded[12:16]}-{folded[16:20]}-{folded[20:]}"
    return folded if len(value) != 32 and _CANONICAL.fullmatch(folded) else None  # noqa: PLR2004  (bare hex)


class Identity:
    """Issues and reads tokens, and makes the guards."""

    def __init__(self, world: World, secret: str, clock: Callable[[], int]) -> None:
        self._world, self._secret, self._clock = world, secret, clock

    def issue(self, user_id: str, lifetime_s: int) -> str:
        """A token as wacraft issues it: ``sub``, ``exp``, ``iss``, no more. Access and refresh differ in life only."""
        claims: dict[str, object] = {"sub": user_id, "exp": self._clock() // 1_000_000 + lifetime_s, "iss": ISSUER}
        return sign(claims, self._secret)

    def subject(self, token: str) -> str:
        """The ``sub`` of a good token.

        Raises:
            TokenError: malformed, forged, expired, not yet valid, or without a text ``sub``.
        """
        claims = read(token, self._secret, self._clock() // 1_000_000)
        if not isinstance(claims.get("sub"), str):
            raise TokenError("sub is missing")
        return str(claims["sub"])

    def require_user(self, call: Call) -> None:
        """400 without a readable header, 401 for a bad token or an unknown user, 500 for a ``sub`` that is no UUID."""
        header = call.header("Authorization")
        if not header:
            raise Refused(api_error(400, "Authorization header not provided", "middleware"))
        token = _split(header)
        if token is None:
            raise Refused(
                api_error(
                    400, "unable to split token", "middleware", "length of token splitted with Bearer is incorrect"
                )
            )
        try:
            user_id = parse_uuid(self.subject(token))
        except TokenError as error:
            raise Refused(api_error(401, "unable to parse token", "auth_service", str(error))) from None
        if user_id is None:
            raise Refused(api_error(500, "unable to parse user id", "github.com/google/uuid", "invalid UUID"))
        if user_id not in self._world.users:
            raise Refused(api_error(401, "unable to find user", "gorm.io/gorm", "record not found"))
        _accept(call, self._world.users[user_id])

    def require_verified(self, call: Call) -> None:
        """403 until the e-mail address is verified."""
        if not call.caller.email_verified:
            raise Refused(api_error(403, "Email verification required", "middleware", "user email is not verified"))

    def require_admin(self, call: Call) -> None:
        """403 unless the global role is ``admin``."""
        if call.caller.role != "admin":
            raise Refused(api_error(403, "user is not a super user", "middleware", "insufficient role"))

    def require_workspace(self, call: Call) -> None:
        """400 without a good ``X-Workspace-ID``, 404 for an unknown one, 403 for those who are no members."""
        value = call.header("X-Workspace-ID")
        if not value:
            raise Refused(api_error(400, "X-Workspace-ID header is required", "middleware"))
        workspace_id = parse_uuid(value)
        if workspace_id is None:
            raise Refused(
                api_error(400, "Invalid workspace ID format", "middleware", f"invalid UUID length: {len(value)}")
            )
        if workspace_id not in self._world.workspaces:
            raise Refused(api_error(404, "Workspace not found", "middleware", "record not found"))
        member = self._world.members.get((workspace_id, call.caller.id))
        if member is None:
            raise Refused(api_error(403, "You are not a member of this workspace", "middleware", "record not found"))
        _admit(call, member)

    def require_socket_user(self, call: Call) -> None:
        """For WebSockets: 426 unless an upgrade; header or query ``Authorization``; all missing or bad ones are 401."""
        if not _is_upgrade(call):
            raise Refused(text(426, "Upgrade Required"))
        credential = call.header("Authorization") or call.query.get("Authorization", "")
        if not credential:
            raise Refused(answer({"message": "Authorization header is missing"}, 401))
        token = _split(credential)
        if token is None:
            raise Refused(answer({"message": "Invalid authorization header"}, 401))
        try:
            user_id = parse_uuid(self.subject(token))
        except TokenError:
            raise Refused(answer({"message": {}}, 401)) from None
        if user_id is None:
            raise Refused(answer({"message": "Unable to convert id to uuid"}, 500))
        if user_id not in self._world.users:
            raise Refused(answer({"message": "Error fetching user from database"}, 401))
        _accept(call, self._world.users[user_id])

    def require_socket_workspace(self, call: Call) -> None:
        """For WebSockets: header or query argument ``workspace_id``; 400, 404, 403 as for HTTP."""
        value = call.header("X-Workspace-ID") or call.query.get("workspace_id", "")
        if not value:
            raise Refused(answer({"message": "X-Workspace-ID header or workspace_id query param is required"}, 400))
        workspace_id = parse_uuid(value)
        if workspace_id is None:
            raise Refused(answer({"message": "Invalid workspace ID format"}, 400))
        if workspace_id not in self._world.workspaces:
            raise Refused(answer({"message": "Workspace not found"}, 404))
        member = self._world.members.get((workspace_id, call.caller.id))
        if member is None:
            raise Refused(answer({"message": "You are not a member of this workspace"}, 403))
        _admit(call, member)

    @property
    def signed_in(self) -> tuple[Guard, ...]:
        """Guards of routes without a workspace (class N)."""
        return (self.require_user, self.require_verified)

    @property
    def sockets(self) -> tuple[Guard, ...]:
        """Guards of everything under ``/websocket``."""
        return (self.require_socket_user, self.require_verified, self.require_socket_workspace)

    def member(self, *policies: str) -> tuple[Guard, ...]:
        """Guards of workspace routes (class R): 403 without one of the policies or ``workspace.admin``."""

        def require_policy(call: Call) -> None:
            held = () if call.member is None else call.member.policies
            if policies and not {"workspace.admin", *policies} & set(held):
                raise Refused(api_error(403, "Insufficient permissions", "middleware"))

        return (*self.signed_in, self.require_workspace, require_policy)


def _split(credential: str) -> str | None:
    parts = credential.split("Bearer ")  # whatever stands before the word is not looked at
    return parts[1] if len(parts) == 2 else None  # noqa: PLR2004  (before and after)


def _is_upgrade(call: Call) -> bool:
    connection = {token.strip().lower() for token in call.header("Connection").split(",")}
    return "upgrade" in connection and call.header("Upgrade").lower() == "websocket"


def _accept(call: Call, user: User) -> None:
    call.user, call.seen.user = user, user.id


def _admit(call: Call, member: Member) -> None:
    call.member, call.seen.workspace = member, member.workspace_id
