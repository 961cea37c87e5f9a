"""The description of the API is true: as a document, of its routes, and of a live process under fire."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from gateway.api.audience import Who
from gateway.api.openapi import document
from gateway.api.router import Router
from gateway.api.table import routes
from gateway.demo.data import ADMIN, ALICE
from gateway.demo.stripe.server import FakeStripe
from tests.api.clients import YAML, clients
from tests.e2e.world import World, world

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
TABLE = Router(routes(with_store=True)).routes
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "negative_data_rejection",
    "ignored_auth",
)


@asynccontextmanager
async def selling() -> AsyncIterator[str]:
    """A payment provider, as the configuration names it: without one its routes are 503."""
    stripe = FakeStripe()
    url = await stripe.start()
    try:
        account = f"api_key: sk_test_{'0' * 24}, webhook_secrets: [whsec_{'0' * 24}], api_base: '{url}'"
        yield f"payments: {{stripe: {{{account}}}}}\n"
    finally:
        await stripe.close()


async def described(here: World) -> dict[str, Any]:
    answer = await clients(here).stranger.get("/openapi.json")
    assert answer.status == 200, answer
    said: dict[str, Any] = answer.body
    return said


async def test_the_document_is_openapi_3_1(shop: World) -> None:
    said = await described(shop)
    meta = {**OPENAPI_31, "$schema": "https://json-schema.org/draft/2020-12/schema"}
    assert [error.message for error in Draft202012Validator(meta).iter_errors(said)] == []
    for name, schema in said["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("description"), name


async def test_every_route_is_in_it_with_whom_it_answers(shop: World) -> None:
    said = await described(shop)
    in_document = {
        (method.upper(), path): operation for path, each in said["paths"].items() for method, operation in each.items()
    }
    assert set(in_document) == {(each.method, each.template.replace("*}", "}")) for each in TABLE}
    names = [operation["operationId"] for operation in in_document.values()]
    assert len(set(names)) == len(names)
    for (method, path), operation in in_document.items():
        assert operation["summary"].endswith("."), (method, path)
        assert bool(operation["security"]) is (operation["x-audience"] in ("auth", "admin"))


def test_errors_have_the_configured_shape() -> None:
    for dialect, media in (("wacraft", b"application/json"), ("problem", b"application/problem+json")):
        said = document(TABLE, "/billing", "X-Workspace-ID", dialect)
        assert (b"problem+json" in said) is (media == b"application/problem+json")


def test_no_route_is_without_an_audience() -> None:
    assert all(isinstance(each.who, Who) for each in TABLE)
    assert {each.template for each in TABLE if each.who is Who.ANYBODY} == {"/about", "/login", "/openapi.json"}


@pytest.mark.parametrize(("user", "errors"), [(ADMIN, "wacraft"), (ALICE, "problem")], ids=["admin", "user"])
async def test_a_live_gateway_keeps_what_the_document_says(tmp_path: Path, user: Any, errors: str) -> None:
    yaml = YAML.format(url=f"sqlite:///{tmp_path}/store.db") + f"errors: {errors}\n"
    async with selling() as payments, world(tmp_path, yaml + payments) as here:
        run = await asyncio.create_subprocess_exec(
            SCHEMATHESIS,
            "run",
            f"{here.url}/billing/openapi.json",
            "--header",
            f"Authorization: Bearer {here.backend.token(user)}",
            "--checks",
            ",".join(CHECKS),
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "5",
            "--max-time",
            "20",
            "--seed",
            "1",
            "--generation-database",
            "none",
            "--no-color",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(run.communicate(), 240)
        told = said.decode()
        assert run.returncode == 0, told[-8000:]
        assert f"{len(TABLE) - 1} selected" in told, "all but the document itself"
        found = re.search(r"(\d+) generated", told)
        assert found is not None, told[-1500:]
        assert int(found[1]) >= len(TABLE)
        assert (await here.ask("/user/me", ALICE)).status == 200, "and it goes on"
