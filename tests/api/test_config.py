"""What is running, told to admins: every key with its origin, and no secret."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.data import ADMIN, ALICE, BOB
from gateway.settings.keys import every_key
from gateway.settings.load import load
from gateway.settings.show import shown
from gateway.store import plans
from tests.api.billing_world import got
from tests.api.clients import Client
from tests.e2e.selling import by, draft, store_of
from tests.e2e.world import SECRET, World, world

HASH = "sha256:" + "a" * 64
PASSWORD = "a-password-nobody-may-read"
YAML = f"""
admins: {{users: ["{ADMIN.id}"], password: "{PASSWORD}"}}
identity:
  jwt: {{secret: "{SECRET}"}}
  api_keys:
    - {{id: k1, hash: "{HASH}", user: "{BOB.id}"}}
upstream: {{url: "%s", profile: fiber, headers: {{X-Api-Token: {PASSWORD}}}}}
defaults: {{user: free, workspace: null}}
plans:
  - {{slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}}
limits: {{stop_timeout: 7s}}
"""


async def test_every_key_is_told_with_where_it_was_written(tmp_path: Path) -> None:
    async with world(tmp_path, YAML.replace("%s", "http://127.0.0.1:9")) as here:
        told = await got(here, "/config", ADMIN)
        settings: dict[str, Any] = {each["key"]: each for each in told["settings"]}
        assert settings["limits.stop_timeout"]["value"] == "7s"
        assert settings["limits.stop_timeout"]["origin"].startswith(f"{tmp_path}/gateway.yaml:")
        assert settings["on_store_failure"] == {"key": "on_store_failure", "value": "open", "origin": "default"}
        assert settings["plans[0]"]["value"]["slug"] == "free"
        assert settings["defaults.user"]["value"] == "free"
        assert "value" not in settings["defaults.workspace"]
        named = {key.partition("[")[0] for key in settings}
        known = {key.path for key in every_key() if key.section is None and "[]" not in key.path}
        absent = {path for path in known - named if not any(path.startswith(f"{each}.") for each in named)}
        assert absent == set(), "a section that is not there is told as one key"
        assert isinstance(told["warnings"], list)
        assert isinstance(told["notes"], list)


async def test_no_secret_is_told(tmp_path: Path) -> None:
    async with world(tmp_path, YAML.replace("%s", "http://127.0.0.1:9")) as here:
        text = json.dumps(await got(here, "/config", ADMIN))
        for secret in (SECRET, PASSWORD, HASH, "a" * 64):
            assert secret not in text
        assert "********" in text
        await got(here, "/config", ALICE, status=403)
        await got(here, "/config", status=401)


@pytest.mark.parametrize(
    "store",
    [
        "postgresql://app:hidden@db.example/billing?password=hidden",
        "postgresql://u:hidden@h/b",
        "postgresql://u:a@hidden@h/b",
    ],
)
def test_a_url_is_told_without_its_password(tmp_path: Path, store: str) -> None:
    (tmp_path / "gateway.yaml").write_text(
        f'listen: 127.0.0.1:0\nupstream: {{url: "http://127.0.0.1:9"}}\nstore: "{store}"\n'
    )
    (found,) = [each for each in shown(load(tmp_path / "gateway.yaml", {})) if each.key == "store"]
    assert "hidden" not in str(found.value)
    assert str(found.value).startswith("postgresql://********@")


async def test_what_does_not_count_is_noted(shop: World, admin: Client) -> None:
    assert (await admin.get("/config")).body["notes"] == []
    await plans.create(store_of(shop), draft("team"), by())
    (note,) = (await admin.get("/config")).body["notes"]
    assert "'team'" in note
