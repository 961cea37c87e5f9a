"""Clients of the billing API, as tests use it."""

import io
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.demo.data import ADMIN, ALICE, BOB, User
from tests.e2e.world import World

YAML = f"""\
store: "{{url}}"
admins: {{{{users: ["{ADMIN.id}"]}}}}
defaults: {{{{user: free, workspace: null}}}}
plans:
  - {{{{slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}}}}
  - {{{{slug: team, name: Team, throughput_limit: 50, window_seconds: 3600}}}}
limits: {{{{api_calls_per_minute: 10000}}}}
"""
PRO = {"name": "Pro", "slug": "pro", "throughput_limit": 5000, "window_seconds": 60, "duration_days": 30}


class Said(NamedTuple):
    """An answer, read."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def problems(self) -> dict[str, str]:
        """Of a 422: what is wrong with which field."""
        assert self.status == 422, self
        return {each["field"]: each["problem"] for each in self.body["content"]["fields"]}


class Client:
    """Somebody who calls the API, with paths below ``/billing``."""

    def __init__(self, here: World, user: User | None) -> None:
        self.here = here
        self.user = user

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        workspace: str | None = None,
        **headers: str,
    ) -> Said:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        more: dict[str, Any] = {}
        if raw is not None or body is not None:
            more["data"] = io.BytesIO(json.dumps(body).encode() if raw is None else raw)
            sent = {"Content-Type": "application/json", **sent}
        answer = await self.here.ask(
            "/billing" + path, self.user, method=method, workspace=workspace, headers=sent, **more
        )
        kind = answer.headers.get("Content-Type", "")
        read = answer.status not in (204, 304) and method != "HEAD"
        content = (await answer.json() if kind.endswith("json") else await answer.text()) if read else None
        return Said(answer.status, answer.headers, content)

    async def get(self, path: str, **more: Any) -> Said:
        return await self("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Said:
        return await self("POST", path, body, **more)

    async def put(self, path: str, body: object = None, **more: Any) -> Said:
        return await self("PUT", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Said:
        return await self("DELETE", path, **more)


class Clients(NamedTuple):
    """Everybody."""

    admin: Client
    alice: Client
    bob: Client
    stranger: Client


def clients(here: World) -> Clients:
    """Clients of ``here``; ``ADMIN`` is its admin."""
    return Clients(*(Client(here, user) for user in (ADMIN, ALICE, BOB, None)))
