"""A language model's API sold by API key: the preset, with a stand-in that streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, FormData, web
from yarl import URL

from gateway.identity.api_keys import generate_key
from gateway.server import start
from gateway.settings.load import load
from tests.e2e.identity_world import served

KEY, TEAM_KEY = generate_key(), generate_key()


class Model:
    """OpenAI's and Anthropic's routes, as far as a client needs them. ``gate``: what a stream waits for."""

    def __init__(self) -> None:
        self.url = ""
        self.credentials: list[tuple[str | None, str | None]] = []
        self.gate = asyncio.Event()
        self.broken = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.credentials.append((request.headers.get("Authorization"), request.headers.get("X-API-Key")))
        if self.broken:
            return web.json_response({"error": {"message": "overloaded"}}, status=529)
        match request.method, request.path:
            case "POST", "/v1/chat/completions":
                asked: dict[str, Any] = await request.json()
                return await self._stream(request) if asked.get("stream") else web.json_response({"choices": [{}]})
            case "POST", "/v1/files":
                return web.json_response({"bytes": len(await request.read())})
            case "POST", "/v1/messages":
                return web.json_response({"content": []})
            case "GET", "/v1/models":
                return web.json_response({"data": []})
        return web.json_response({"path": request.path})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n')
        await self.gate.wait()
        await answer.write(b"data: [DONE]\n\n")
        return answer


class Client:
    """A customer with a key."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self._url, self._session = url, session

    async def __call__(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **body: Any
    ) -> ClientResponse:
        sent = {"Authorization": f"Bearer {KEY.key}"} if headers is None else headers
        url = URL(self._url + path, encoded=True)
        async with self._session.request(method, url, headers=sent, **body) as answer:
            await answer.read()
            return answer

    async def cost(self, method: str, path: str, **body: Any) -> int:
        answer = await self(method, path, **body)
        assert answer.status == 200, await answer.text()
        return int(answer.headers["X-Weighbridge-Cost"])

    def stream(self, path: str, asked: object) -> Any:
        return self._session.post(self._url + path, json=asked, headers={"Authorization": f"Bearer {KEY.key}"})


def yaml(model: Model, folder: Path) -> str:
    return f"""\
listen: 127.0.0.1:0
include: [preset:llm]
upstream: {{url: "{model.url}", headers: {{Authorization: "Bearer sk-ours"}}}}
identity:
  api_keys:
    - {{id: {KEY.id}, hash: "{KEY.hash}", user: ann}}
    - {{id: {TEAM_KEY.id}, hash: "{TEAM_KEY.hash}", workspace: red}}
subscriptions: [{{plan: team, scope: workspace, id: red}}, {{plan: few, scope: user, id: ann}}]
plans:
  - {{slug: team, throughput_limit: 1000000, window_seconds: 60}}
  - {{slug: few, throughput_limit: 100, window_seconds: 30000000}}
ledger: sqlite:///{folder}/ledger.db
store: sqlite:///{folder}/store.db
log: {{access: {folder}/access.log}}
"""


@asynccontextmanager
async def selling(folder: Path) -> AsyncIterator[tuple[Client, Model]]:
    model = Model()
    config = folder / "gateway.yaml"
    async with served(model):
        config.write_text(yaml(model, folder))
        running = await start(load(config, {}))
        try:
            async with ClientSession() as session:
                yield Client(running.urls[0], session), model
        finally:
            model.gate.set()
            await running.stop()


async def test_calls_cost_what_they_are_worth_in_any_spelling(tmp_path: Path) -> None:
    async with selling(tmp_path) as (client, _):
        assert await client.cost("GET", "/v1/models") == 0
        assert await client.cost("POST", "/v1/embeddings", json={"input": "a"}) == 1
        assert await client.cost("POST", "/v1/chat/completions", json={"messages": []}) == 10
        assert await client.cost("POST", "/v1%2Fchat%2fcompletions", json={"messages": []}) == 10
        assert await client.cost("POST", "/v1/%63hat/completions", json={"messages": []}) == 10
        assert await client.cost("POST", "/chat/completions", json={"messages": []}) == 10
        form = FormData({"purpose": "batch"})
        form.add_field("file", b"x" * 300_000, filename="a.jsonl")
        assert await client.cost("POST", "/v1/files", data=form) == 5


@pytest.mark.parametrize("stream", [True, False])
async def test_an_empty_budget_is_429_before_the_model_is_asked(tmp_path: Path, stream: bool) -> None:  # noqa: FBT001
    async with selling(tmp_path) as (client, model):
        model.gate.set()
        asked = {"messages": [], "stream": stream}
        answers = [await client("POST", "/v1/chat/completions", json=asked) for _ in range(12)]
        assert [answer.status for answer in answers].count(200) == 10
        refused = answers[-1]
        assert (refused.status, refused.content_type) == (429, "application/problem+json")
        assert int(refused.headers["Retry-After"]) > 0
        assert len(model.credentials) == 10
        assert (await client("GET", "/v1/models")).status == 200


async def test_a_stream_arrives_as_it_is_made(tmp_path: Path) -> None:
    async with selling(tmp_path) as (client, model), client.stream("/v1/chat/completions", {"stream": True}) as answer:
        assert answer.headers["X-Weighbridge-Cost"] == "10"
        first = await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 10)
        assert json.loads(first.removeprefix(b"data: "))["choices"][0]["delta"]["content"] == "Hel"
        model.gate.set()
        assert await answer.content.read() == b"data: [DONE]\n\n"


async def test_the_model_sees_our_credential_and_customers_keys_stay_here(tmp_path: Path) -> None:
    async with selling(tmp_path) as (client, model):
        for headers in ({"Authorization": f"Bearer {KEY.key}"}, {"x-api-key": KEY.key, "anthropic-version": "1"}):
            assert (await client("POST", "/v1/messages", headers, json={})).status == 200
        for headers in ({}, {"x-api-key": "sk-ant-123"}, {"Authorization": "Bearer sk-123"}):
            assert (await client("POST", "/v1/messages", headers, json={})).status == 401
        assert model.credentials == [("Bearer sk-ours", None)] * 2


async def test_a_teams_key_spends_the_teams_budget(tmp_path: Path) -> None:
    async with selling(tmp_path) as (client, _):
        answer = await client("POST", "/v1/messages", {"x-api-key": TEAM_KEY.key}, json={})
        assert (answer.headers["X-RateLimit-Scope"], answer.headers["X-RateLimit-Scope-ID"]) == ("workspace", "red")


async def test_what_the_model_could_not_do_is_given_back(tmp_path: Path) -> None:
    async with selling(tmp_path) as (client, model):
        model.broken = True
        for _ in range(20):
            assert (await client("POST", "/v1/chat/completions", json={})).status == 529
        model.broken = False
        assert (await client("POST", "/v1/chat/completions", json={})).status == 200
