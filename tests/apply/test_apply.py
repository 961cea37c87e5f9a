"""``weighbridge apply``: a file becomes plans, prices and weights, and the difference is said."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.clock import now_us
from gateway.core.scope import Scope
from gateway.demo.data import BOB
from gateway.store import audit, plans, subscriptions
from gateway.store.audit import Sought
from gateway.store.open import open_store
from gateway.store.rows import PlanRow
from gateway.store.store import Store
from tests.api.billing_world import selling
from tests.e2e.selling import by, draft, sold, store_of

CONFIG = """
upstream: {{url: "http://127.0.0.1:9"}}
store: "{url}"
plans:
  - {{slug: free, name: Free, throughput_limit: 10, window_seconds: 3600}}
rules:
  - {{method: GET, path: /files/**, weight: 2}}
"""
FILE = """
plans:
  - slug: pro
    name: Pro
    throughput_limit: 5000
    window_seconds: 60
    duration_days: 30
    prices:
      - {currency: usd, price_cents: 4900, is_default: true}
      - {currency: JPY, price_cents: 7000}
  - slug: business
    name: Business
    duration_days: 30
    limits:
      - {amount: 10, window_seconds: 1, refill: continuous}
      - {amount: 1000000, anchor: month, time_zone: Europe/Berlin}
weights:
  - {method: post, path_pattern: /message/whatsapp, weight: 5, description: send}
"""

COMMAND = "from gateway.cli import main; main()"
Run = Callable[..., Result]


@pytest.fixture
def run(store_url: str, tmp_path: Path) -> Run:
    config = tmp_path / "gateway.yaml"
    config.write_text(CONFIG.format(url=store_url))

    def call(text: str, *options: str) -> Result:
        file = tmp_path / "plans.yaml"
        file.write_text(text)
        return CliRunner().invoke(main, ["apply", str(file), "--config", str(config), *options])

    return call


def looked_at(store_url: str, look: Callable[[Store], Any]) -> Any:
    async def main_() -> Any:
        store = await open_store(store_url)
        try:
            return await look(store)
        finally:
            await store.close()

    return asyncio.run(main_())


async def all_of(store: Store) -> tuple[PlanRow, ...]:
    async with store.read() as connection:
        return await plans.all_plans(connection)


def changes(result: Result) -> list[tuple[str, str, str]]:
    assert result.exit_code == 0, result.output
    return [(each["action"], each["kind"], each["name"]) for each in json.loads(result.stdout)["changes"]]


EVERYTHING = [
    ("plan", "pro"),
    ("price", "pro usd"),
    ("price", "pro jpy"),
    ("plan", "business"),
    ("weight", "POST /message/whatsapp"),
]


def test_a_file_is_applied_once_and_then_nothing_is_left_to_do(run: Run, store_url: str) -> None:
    assert changes(run(FILE, "--json")) == [("create", *each) for each in EVERYTHING]
    assert changes(run(FILE, "--json")) == [("same", *each) for each in EVERYTHING]
    business, pro = looked_at(store_url, all_of)
    assert (pro.slug, pro.terms.limits[0].amount, pro.version) == ("pro", 5000, 1)
    assert [(price.currency, price.amount, price.is_default) for price in pro.prices] == [
        ("usd", 4900, True),
        ("jpy", 7000, False),
    ]
    assert [limit.amount for limit in business.terms.limits] == [10, 1_000_000]


def test_a_dry_run_says_the_same_and_changes_nothing(run: Run, store_url: str) -> None:
    dry = run(FILE, "--dry-run", "--json")
    assert changes(dry) == [("create", *each) for each in EVERYTHING]
    assert json.loads(dry.stdout)["dry_run"] is True
    assert looked_at(store_url, all_of) == ()
    wet = run(FILE, "--json")
    assert json.loads(wet.stdout)["changes"] == json.loads(dry.stdout)["changes"]


def test_what_differs_is_said_with_what_it_was(run: Run, store_url: str) -> None:
    run(FILE)
    changed = (
        FILE.replace("5000", "6000").replace("4900", "5900").replace("weight: 5", "weight: 7").replace("JPY", "eur")
    )
    result = run(changed, "--json")
    assert changes(result) == [
        ("update", "plan", "pro"),
        ("update", "price", "pro usd"),
        ("create", "price", "pro eur"),
        ("same", "plan", "business"),
        ("update", "weight", "POST /message/whatsapp"),
    ]
    said = json.loads(result.stdout)["changes"]
    assert (said[0]["before"]["throughput_limit"], said[0]["after"]["throughput_limit"]) == (5000, 6000)
    assert (said[1]["before"], said[1]["after"]) == ({"price_cents": 4900}, {"price_cents": 5900})
    assert (said[4]["before"], said[4]["after"]) == ({"weight": 5}, {"weight": 7})
    _, pro = looked_at(store_url, all_of)
    assert {price.currency for price in pro.prices} == {"usd", "jpy", "eur"}, "what is not named is left alone"
    assert pro.version == 2


def test_people_read_it_as_a_difference(run: Run) -> None:
    first = run(FILE)
    assert first.exit_code == 0, first.output
    assert '+ plan pro\n    name: "Pro"\n' in first.output
    assert "+ price pro usd\n    price_cents: 4900\n" in first.output
    assert first.output.endswith("5 changed, 0 as they were.\n")
    second = run(FILE.replace("5000", "6000"), "--dry-run")
    assert "~ plan pro\n    throughput_limit: 5000 → 6000\n" in second.output
    assert second.output.endswith("1 would change, 4 as they were.\n")


def test_terms_may_be_for_new_buyers_only(run: Run, store_url: str) -> None:
    run(FILE)
    run(FILE.replace("throughput_limit: 5000", "throughput_limit: 9\n    apply_to: new"))

    async def in_force(store: Store) -> Any:
        *_, pro = await all_of(store)
        made = await subscriptions.create(store, sold(pro), by())
        return pro.version, made.in_force

    assert looked_at(store_url, in_force) == (2, 2)


def test_everything_that_is_wrong_is_named_with_its_line_and_nothing_is_done(run: Run, store_url: str) -> None:
    wrong = """
plans:
  - {slug: free, name: Free, throughput_limit: 1, window_seconds: 1, duration_days: 1}
  - {slug: pro, name: Pro, window_seconds: 60, duration_days: 30}
  - {slug: x, name: X, throughput_limit: 1, window_seconds: 0, duration_days: 30}
weights:
  - {method: GET, path_pattern: files, weight: 1}
wieghts: []
"""
    result = run(wrong)
    assert result.exit_code == 1
    said = result.output
    for sentence in (
        "plans.yaml:4:5: plans[1].throughput_limit is required",
        "plans.yaml:5:",
        "plans[2].window_seconds",
        "weights[0].path_pattern",
        "wieghts is not known here",
    ):
        assert sentence in said
    assert looked_at(store_url, all_of) == ()
    as_json = json.loads(run(wrong, "--json").stdout)
    assert as_json["ok"] is False
    assert len(as_json["errors"]) == 4


def test_what_the_store_could_not_take_is_named_before_anything_is_done(run: Run, store_url: str) -> None:
    taken = FILE + "  - {method: GET, path_pattern: '/a/{x', weight: 1}\n"
    clash = FILE.replace("slug: business", "slug: free")
    idle = FILE.replace("name: Business", "name: Business\n    is_default: true\n    active: false")
    for text, sentence in (
        (taken, "neither a literal"),
        (clash, "the configuration has a plan 'free'"),
        (idle, "inactive"),
    ):
        for options in ((), ("--dry-run",)):
            result = run(text, *options)
            assert (result.exit_code, sentence in result.output) == (1, True), result.output
    assert looked_at(store_url, all_of) == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("plans: {slug: pro}", "must be a list"),
        ("plans: [1]", "plans[0] must be an object"),
        ("- x", "must be a mapping"),
        ("plans: [", "no valid YAML"),
        (FILE + FILE.partition("weights:")[2], "is there twice"),
        (FILE.replace("4900", "49.5"), "price_cents must be a whole number"),
        (FILE.replace("usd", "xxx"), "ISO 4217"),
    ],
)
def test_what_is_no_such_file_is_said(run: Run, text: str, sentence: str) -> None:
    result = run(text)
    assert (result.exit_code, sentence in result.output) == (1, True), result.output


def test_without_a_file_or_a_store_that_is_said(tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text('upstream: {url: "http://127.0.0.1:9"}\nstore: null\n')
    missing = CliRunner().invoke(main, ["apply", str(tmp_path / "no.yaml"), "-c", str(config)])
    assert (missing.exit_code, "store is null" in missing.output) == (1, True)
    config.write_text(CONFIG.format(url=f"sqlite:///{tmp_path}/s.db"))
    missing = CliRunner().invoke(main, ["apply", str(tmp_path / "no.yaml"), "-c", str(config)])
    assert (missing.exit_code, "No such file" in missing.output) == (1, True)


def test_the_audit_log_says_that_a_command_did_it(run: Run, store_url: str) -> None:
    run(FILE)
    entries = looked_at(store_url, lambda store: audit.page(store, Sought()))
    assert {(entry.actor_kind, entry.actor_id) for entry in entries} == {("command", "apply")}


async def test_a_running_gateway_follows(store_url: str, tmp_path: Path) -> None:
    async with selling(store_url, tmp_path) as here:
        plan = await plans.create(store_of(here), draft(amount=77), by())
        await subscriptions.create(store_of(here), sold(plan, Scope("user", BOB.id)), by())
        assert (await here.ask("/user/me", BOB)).headers["X-RateLimit-Limit"] == "77"
        file = tmp_path / "plans.yaml"
        file.write_text(
            "plans:\n  - {slug: pro, name: Pro, throughput_limit: 99, window_seconds: 3600, duration_days: 30}\n"
            "weights:\n  - {method: GET, path_pattern: /user/me, weight: 3}\n"
        )
        command = [sys.executable, "-c", COMMAND, "apply", str(file), "-c", str(here.config)]
        env = {**os.environ, "JWT_SECRET": "x" * 40, "PYTHONPATH": os.pathsep.join(sys.path)}
        running = await asyncio.create_subprocess_exec(*command, env=env)
        assert await running.wait() == 0
        changed_us = now_us()
        async with asyncio.timeout(20):
            while (answer := await here.ask("/user/me", BOB)).headers["X-Weighbridge-Cost"] != "3":
                await asyncio.sleep(0.05)
        assert answer.headers["X-RateLimit-Limit"] == "99"
        assert now_us() - changed_us < 10_000_000, "a poll a second, on however slow a machine"
