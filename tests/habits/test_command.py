import asyncio
import json
from pathlib import Path

import yaml
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.core.profile import PROFILES
from gateway.demo.backend import Backend
from gateway.settings import convert
from gateway.settings.load import load
from tests.habits.routers import Router, running


async def probe(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["probe", *arguments])


async def test_what_it_prints_can_be_put_into_gateway_yaml(tmp_path: Path) -> None:
    async with running(Router("segments", "insensitive", "dropped", "dropped")) as upstream:
        result = await probe(f"{upstream.url}/Things/List")
        assert result.exit_code == 0
        printed = result.output.partition("For gateway.yaml:\n\n")[2]
        assert yaml.safe_load(printed)["upstream"]["url"] == upstream.url
        config = tmp_path / "gateway.yaml"
        config.write_text("\n".join(line.removeprefix("  ") for line in printed.splitlines()))
        profile = convert.profile(load(config, {}))
        assert (profile.name, profile.case, profile.trailing_slash, profile.matrix_params) == (
            "strict",
            "insensitive",
            "dropped",
            "dropped",
        )


async def test_the_stand_in_backend_is_called_fiber_and_nothing_else(tmp_path: Path) -> None:
    backend = Backend(jwt_secret="a-secret-of-the-tests-that-is-long-enough")
    url = await backend.start()
    try:
        result = await probe(f"{url}/user/me")
        told = json.loads((await probe(f"{url}/user/me", "--json")).output)
    finally:
        await backend.close()
    assert "profile: fiber\n" in result.output
    assert told["profile"] == {"name": "fiber"}
    config = tmp_path / "gateway.yaml"
    config.write_text(f'upstream: {{url: "{url}", profile: fiber}}')
    assert convert.profile(load(config, {})) == PROFILES["fiber"]


async def test_warnings_say_what_no_profile_describes_and_what_is_not_known() -> None:
    async with running(Router("twice")) as upstream:
        result = await probe(f"{upstream.url}/Things")
    assert "warning: The router decodes twice" in result.output
    assert "warning: encoded slash: this path cannot show it" in result.output


async def test_failures_are_said_and_end_with_1() -> None:
    async with running(Router()) as upstream:
        url = upstream.url
        for path, said in (("/", "no spelling to vary"), ("/none", "answered alike")):
            result = await probe(url + path)
            assert (result.exit_code, said in result.stderr) == (1, True)
        assert "error" in json.loads((await probe(f"{url}/none", "--json")).output)
    gone = await probe(f"{url}/Things")
    assert (gone.exit_code, "cannot be reached" in gone.stderr) == (1, True)


async def test_credentials_go_with_every_question_and_are_not_printed() -> None:
    async with running(Router("none"), "who are you") as upstream:
        result = await probe(f"{upstream.url}/Things/List", "-H", "Authorization: Bearer hush")
        assert result.exit_code == 0
        assert all(b"Authorization: Bearer hush\r\n" in head for head in upstream.heads)
        assert "hush" not in result.output
    for header in ("nonsense", ": x", "X: a\nY: b"):
        assert (await probe("http://127.0.0.1/x", "-H", header)).exit_code == 2
