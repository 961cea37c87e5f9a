"""Who is there: what the caller may do here, what there is to know before that, and the admin's own login."""

import logging
from typing import Annotated, Literal

from pydantic import Field

from gateway import __version__, log
from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import Said, Told
from gateway.api.reply import Reply
from gateway.api.route import Policy, Who, route
from gateway.core.money import EXPONENTS
from gateway.core.problems import NotFound, StoreUnavailable, Unauthorized
from gateway.core.scope import Scope
from gateway.identity.admin_login import LIFETIME_S, LONGEST_PASSWORD
from gateway.store.mandate import Actor, Mandate

_TRIES, _WRONG_OF_ALL = 10, 60
"""Logins tried in a minute from one address, and wrong ones that are answered and noted from everywhere."""
_log = log.get_logger(__name__)


class Me(Told):
    """Who calls, as the gateway sees it. ``name``: what users are called. ``policies``: in the workspace they name."""

    user_id: str | None = None
    name: str | None = None
    workspace_id: str | None = None
    admin: bool
    via: Literal["jwt", "api_key", "peer", "admin_login"]
    policies: list[str]


class Login(Said):
    """The admin's password."""

    password: Annotated[str, Field(strict=True, min_length=1, max_length=LONGEST_PASSWORD)]


class Token(Told):
    """A token that the gateway's own routes accept for ``expires_in`` seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  (no password)
    expires_in: int


class Payments(Told):
    """How one can pay. ``demo``: nobody pays anything for real."""

    providers: list[str]
    demo: bool


class Logins(Told):
    """Ways to log in from a page: at the upstream (``POST /user/oauth/token``), and as the gateway's own admin."""

    upstream: bool
    admin: bool


class Prefixes(Told):
    """Where things are."""

    billing: str
    admin: str


class About(Told):
    """What pages need before anybody has logged in. ``currencies``: the decimals of each."""

    version: str
    payments: Payments
    login: Logins
    workspace_header: str | None = None
    currencies: dict[str, int]
    buy_url: str | None = None
    prefixes: Prefixes


async def me(call: Call, desk: Desk) -> Reply:
    """Who calls, and what that allows."""
    caller = call.caller
    assert caller.via != "anonymous"  # noqa: S101  (the route is for users)
    await desk.gate.learn_policies(caller, call.knock)
    admin = await caller.is_admin()
    return Reply(
        Me(
            user_id=caller.user,
            name=await _name_of(call, desk),
            workspace_id=caller.workspace,
            admin=admin,
            via=caller.via,
            policies=sorted(caller.policies),
        )
    )


async def _name_of(call: Call, desk: Desk) -> str | None:
    """What the upstream has called the caller, to themselves a moment ago or to an admin at some time."""
    caller, profiles = call.caller, desk.identity().profiles
    if caller.user is None:
        return None
    if profiles is not None and caller.identified is not None:
        profile = profiles.known(caller.identified, call.now_us)
        if profile is not None and profile.name is not None:
            return profile.name
    if desk.shop is None:
        return None
    from gateway.store import directory  # noqa: PLC0415  (a gateway without a store loads no SQLAlchemy)

    scope = Scope("user", caller.user)
    try:
        return (await directory.names_of(desk.shop.store, (scope,))).get(scope)
    except StoreUnavailable:
        return None


async def about(_call: Call, desk: Desk) -> Reply:
    """What this gateway is and how to log in, for its pages."""
    facts = desk.facts()
    return Reply(
        About(
            version=__version__,
            payments=Payments(providers=list(facts.providers), demo=facts.demo_payments),
            login=Logins(upstream=facts.upstream_login, admin=desk.identity().login is not None),
            workspace_header=facts.workspace_header,
            currencies=dict(EXPONENTS),
            buy_url=desk.snapshot().buy_url,
            prefixes=Prefixes(billing=facts.api_prefix, admin=facts.admin_prefix),
        )
    )


async def login(call: Call, desk: Desk) -> Reply:
    """Log in as the gateway's own admin."""
    known = desk.identity().login
    if known is None:
        raise NotFound("This gateway has no admin's password. Log in as a user who is an admin.")
    try:
        token = await known.login(call.body(Login).password, call.now_us)
    except Unauthorized:
        # Counted after the judgement: whoever guesses from many addresses must not keep out who knows.
        desk.pace.take(("login", "everybody"), _WRONG_OF_ALL, call.now_us)
        await _note(call, desk, good=False)
        raise
    await _note(call, desk, good=True)
    return Reply(Token(access_token=token, expires_in=LIFETIME_S))


async def _note(call: Call, desk: Desk, *, good: bool) -> None:
    """Tell the log, and the audit log where there is one. A store that is away keeps no admin out."""
    _log.log(logging.INFO if good else logging.WARNING, "an admin's login", good=good, address=call.caller.address)
    if desk.shop is None:
        return
    from gateway.store.deeds import LoggedIn, note  # noqa: PLC0415  (a gateway without a store loads no SQLAlchemy)

    address, id_ = call.caller.address, call.knock.id
    who = Actor("admin", "login", address, id_, "admin_login") if good else Actor("stranger", None, address, id_)
    by = Mandate(who, call.now_us)
    action = "login.success" if good else "login.failure"
    try:
        await note(desk.store, action, "admin", LoggedIn(good), by)
    except StoreUnavailable as problem:
        _log.warning("an admin's login is not in the audit log", reason=problem.message)


ROUTES = (
    route("GET", "/me", me, who=Who.USER, policy=Policy.MEMBER, tells=Me),
    route("GET", "/about", about, who=Who.ANYBODY, tells=About),
    route("POST", "/login", login, who=Who.ANYBODY, takes=Login, tells=Token, per_minute=_TRIES),
)
