"""What the fast lane takes it also finishes: the reference path neither begins nor ends it."""

from pathlib import Path
from typing import Any

import pytest

from gateway.proxy.handler import Handler
from tests.conformance.script import Step
from tests.conformance.stage import staged

GET, HEAD, OPTIONS = (f"{method} {{path}} HTTP/1.1" for method in ("GET", "HEAD", "OPTIONS"))
ME = '{"password":"x","n":1}'
PREFLIGHT = "Origin: https://app.example", "Access-Control-Request-Method: PUT"
JSON = "HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(ME)}", "", f"{ME}\\"
EMPTY = "HTTP/1.1 405 Method Not Allowed", "Content-Length: 0", ""
LONG = "HTTP/1.1 200 OK", "Content-Length: 1000", ""
TYPED = "HTTP/1.1 200 OK", "Content-Type: application/json", "Content-Length: 1000", ""
NOT_MODIFIED = "HTTP/1.1 304 Not Modified", 'ETag: "a"', ""
TAKEN = [
    pytest.param(GET, "/me", (), JSON, "200", id="a member is taken out"),
    pytest.param(HEAD, "/x/1", (), LONG, "200", id="HEAD"),
    pytest.param(HEAD, "/me", (), TYPED, "200", id="HEAD of what is looked through"),
    pytest.param(HEAD, "/dear", (), None, "429", id="HEAD that nobody can pay"),
    pytest.param(GET, "/x/1", (), ("HTTP/1.1 204 No Content", ""), "204", id="no content"),
    pytest.param(GET, "/x/1", (), NOT_MODIFIED, "304", id="not modified"),
    pytest.param(GET, "/me", (), NOT_MODIFIED, "304", id="not modified, of what is looked through"),
    pytest.param(OPTIONS, "/x/1", (), EMPTY, "405", id="OPTIONS"),
    pytest.param(OPTIONS, "/x/1", PREFLIGHT, ("HTTP/1.1 204 No Content", ""), "204", id="preflight"),
    pytest.param(GET, "/framed", ("Sec-WebSocket-Extensions: x",), EMPTY, "405", id="where messages are weighed"),
]


@pytest.mark.parametrize(("line", "path", "fields", "answer", "status"), TAKEN)
async def test_it_goes_the_whole_way_in_the_lane(
    tmp_path: Path, line: str, path: str, fields: tuple[str, ...], answer: tuple[str, ...] | None, status: str
) -> None:
    async with staged(tmp_path, "fast_lane: true") as stage:
        wire = (line.replace("{path}", path), "Host: api.example", "{who}", *fields, "")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Handler, "_see_through", nobody)
            await stage.play(Step("client sends", 0, wire))
            if answer is not None:
                await stage.play(Step("upstream gets", 0, wire[:1]))
                await stage.play(Step("upstream sends", 0, answer))
            await stage.play(Step("client gets to HEAD" if line is HEAD else "client gets", 0, (status,)))
        stage.gateway.metrics.text()
        assert stage.gateway.metrics.fast_lane_requests[()] == 1
        await stage.play(Step("client's connection is kept", 0))


async def nobody(*_: Any) -> None:
    raise AssertionError("the reference path has it")
