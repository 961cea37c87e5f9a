"""Every route of the table, as everybody there is: nobody gets further than its declaration says."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.api.audience import Policy, Who
from gateway.api.route import Route
from gateway.api.router import Router
from gateway.api.table import routes
from gateway.demo.data import ACME, ADMIN, ALICE, BETA, BOB, DAVE
from tests.api.clients import YAML, clients
from tests.e2e.world import World, world

TABLE = Router(routes(with_store=True)).routes
PASSWORD = "a password of the tests"
SOMEBODY = "11111111-2222-4333-8444-555555555555"
REFUSED = (401, 403)
CHECKED_INSIDE = {"/usage/history": Policy.READ}
"""Where a member may ask for their own, and needs a policy for the workspace's."""


class Person(NamedTuple):
    """Somebody who calls, perhaps for a workspace. ``may``: policies in it; ``None``: they do not belong there."""

    name: str
    headers: dict[str, str]
    known: bool = True
    admin: bool = False
    may: frozenset[Policy] | None = frozenset()

    def expected(self, route: Route) -> int | None:
        """The status at the gate; ``None``: it lets in."""
        match route.who:
            case Who.ANYBODY | Who.SIGNED:
                return None
            case _ if not self.known:
                return 401
            case Who.ADMIN:
                return None if self.admin else 403
        if self.admin or route.policy is None or "X-Workspace-ID" not in self.headers:
            return None
        needed = CHECKED_INSIDE.get(route.template, route.policy)
        return None if self.may is not None and needed in self.may else 403


@pytest.fixture
async def here(store_url: str, tmp_path: Path) -> AsyncIterator[World]:
    yaml = YAML.format(url=store_url).replace("admins: {", f"admins: {{password: {PASSWORD}, ")
    async with world(tmp_path, yaml) as running:
        yield running


async def people(here: World) -> list[Person]:
    login = (await clients(here).stranger.post("/login", {"password": PASSWORD})).body["access_token"]
    key = (await clients(here).admin.post("/api-key", {"name": "k", "workspace_id": ACME.id})).body["key"]
    users = {user: here.headers(user)["Authorization"] for user in (ALICE, BOB, DAVE, ADMIN)}
    acme, beta = {"X-Workspace-ID": ACME.id}, {"X-Workspace-ID": BETA.id}

    def of(who: object, **more: str) -> dict[str, str]:
        return {"Authorization": str(who), **{name.replace("_", "-"): value for name, value in more.items()}}

    member = frozenset({Policy.MEMBER})
    return [
        Person("a stranger", {}, known=False),
        Person("a stranger for a workspace", acme, known=False),
        Person("a forger", of("Bearer wbadmin_" + "A" * 43 + "." + "A" * 43), known=False),
        Person("a user", of(users[ALICE])),
        Person("a user for somebody else's workspace", {**of(users[ALICE]), **beta}, may=None),
        Person("a member without policies", {**of(users[DAVE]), **beta}, may=member),
        Person("a member who may read", {**of(users[BOB]), **acme}, may=member | {Policy.READ}),
        Person("a member who may all", {**of(users[ALICE]), **acme}, may=frozenset(Policy)),
        Person("a workspace's key", {"X-API-Key": key, **acme}, may=member),
        Person("an admin", of(users[ADMIN]), admin=True),
        Person("an admin for any workspace", {**of(users[ADMIN]), **beta}, admin=True),
        Person("the admin's login", of(f"Bearer {login}"), admin=True),
        Person("the admin's login for any workspace", {**of(f"Bearer {login}"), **beta}, admin=True),
    ]


async def test_nobody_gets_further_than_a_route_declares(here: World) -> None:
    everybody = await people(here)
    wrong = []
    for route in TABLE:
        path = "/billing/" + "/".join(SOMEBODY if part.startswith("{") else part for part in route.segments)
        for person in everybody:
            answer = await here.ask(path, method=route.method, headers=person.headers)
            expected = person.expected(route)
            right = answer.status == expected if expected is not None else answer.status not in REFUSED
            if not right:
                wrong.append((route.method, route.template, person.name, answer.status, expected))
    assert wrong == []
