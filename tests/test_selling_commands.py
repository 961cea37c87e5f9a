"""``weighbridge sync`` and ``weighbridge doctor stripe`` as an operator runs them."""

import asyncio
import json
import os
import pty
import re
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from gateway.core.scope import Scope
from gateway.payments.stripe.client import VERSION
from gateway.payments.stripe.signals import EVENTS
from gateway.store import plans
from tests.billing.shop import SECRET, Shop, shop
from tests.databases.fixtures import migrated_file

__all__ = ["migrated_file"]

KEY = "sk_test_" + "0" * 24
GATEWAY = "https://gw.test/billing/webhook/stripe"
CONFIG = """\
upstream: {{url: "http://127.0.0.1:9"}}
identity: {{}}
ledger: memory
store: sqlite:///{folder}/store.db
payments:
  return_origins: ["https://shop.test"]
  stripe: {{api_key: "${{KEY}}", webhook_secrets: ["${{SECRET}}"], api_base: "{base}"}}
"""


@pytest.fixture
async def here(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Shop]:
    async with shop(tmp_path, migrated_file) as running:
        (tmp_path / "gateway.yaml").write_text(CONFIG.format(folder=tmp_path, base=running.fake.url))
        yield running


async def weighbridge(folder: Path, *argv: str, **more: str) -> tuple[int, str]:
    """The exit code, and all that was printed. ``more``: of the environment."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "KEY": KEY, "SECRET": SECRET, **more}
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from gateway.cli import main; main()", *argv),
        cwd=folder,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(run.communicate(), 120)
    assert KEY not in said.decode()
    assert SECRET not in said.decode()
    return run.returncode or 0, said.decode()


async def test_a_dry_run_says_what_a_run_then_does(here: Shop, tmp_path: Path) -> None:
    page = await here.buy()
    here.pay(page)
    code, said = await weighbridge(tmp_path, "sync", "--full", "--dry-run", "--json")
    seen = json.loads(said)
    assert (code, list(seen["changes"]), seen["dry_run"]) == (0, [page.subscription_id], True)
    assert seen["drift"], "the catalog was not pushed yet"
    assert not await here.grants()
    code, said = await weighbridge(tmp_path, "sync", "--full")
    assert (code, "status: pending → active" in said, "1 changed" in said) == (0, True, True), said
    code, said = await weighbridge(tmp_path, "sync", "--full")
    assert (code, "0 changed, 0 of the catalog, 0 problems" in said) == (0, True), said
    here.fake.money.refund(next(iter(here.fake.books.kept["charges"].values())), None)
    for _ in range(2):
        code, said = await weighbridge(tmp_path, "sync", "--dry-run")
        assert (code, "status: active → unpaid" in said, "1 would be changed" in said) == (0, True, True), said


async def test_what_stops_a_sync_is_said_and_ends_it_with_1(here: Shop, tmp_path: Path) -> None:
    await here.fake.close()
    code, said = await weighbridge(tmp_path, "sync")
    assert (code, "Stripe cannot be reached" in said) == (1, True), said
    (tmp_path / "gateway.yaml").write_text('upstream: {url: "http://127.0.0.1:9"}\nidentity: {}\n')
    assert await weighbridge(tmp_path, "sync") == (1, "payments.stripe is null: nothing is sold through Stripe\n")


async def test_the_doctor_names_what_is_missing_until_nothing_is(here: Shop, tmp_path: Path) -> None:
    url = GATEWAY
    code, said = await weighbridge(tmp_path, "doctor", "stripe", "--url", url)
    assert (code, f"no webhook endpoint points to {url}" in said) == (1, True), said

    client = here.sales.provider._client  # type: ignore[attr-defined]
    await client.post("webhook_endpoints", url=url, enabled_events=list(EVENTS), api_version=VERSION)
    code, said = await weighbridge(tmp_path, "doctor", "stripe", "--url", url, "--json")
    verdicts = [check["verdict"] for check in json.loads(said)["checks"]]
    assert (code, set(verdicts)) == (0, {"good", "look", "ask"})
    code, said = await weighbridge(tmp_path, "doctor", "stripe", "--url", url)
    assert (code, "✓ it sends all events that are needed" in said, "Ready to sell" in said) == (0, True, True), said
    assert "! 5 of the catalog are not there as here" in said
    terms = replace(here.plan.terms, duration_days=2000)
    await plans.update(here.store, here.plan.id, lambda old: replace(old, terms=terms), here.by())
    code, said = await weighbridge(tmp_path, "doctor", "stripe", "--url", url)
    assert (code, "every three years at most" in said) == (1, True), said


async def test_a_key_of_another_account_is_said_by_both_and_there_is_a_way_on(here: Shop, tmp_path: Path) -> None:
    await here.buy()
    here.fake.books.account = "acct_other"
    here.fake.books.kept["sessions"].clear()  # it has none of the first one's
    for argv in (("doctor", "stripe"), ("sync", "--full")):
        code, said = await weighbridge(tmp_path, *argv)
        assert (code, "weighbridge sync --move-account" in said, "acct_other (sandbox)" in said) == (1, True, True), (
            said
        )
    code, said = await weighbridge(tmp_path, "sync", "--move-account")
    assert (code, said.startswith("Sold through acct_other/test from now on.")) == (0, True), said
    assert (await weighbridge(tmp_path, "sync", "--full"))[0] == 0
    code, said = await weighbridge(tmp_path, "sync", "--move-account", "--json")
    assert json.loads(said) == {"ok": True, "before": "acct_other/test", "after": "acct_other/test"}


PAGE = (Path(__file__).parents[1] / "docs" / "stripe.md").read_text()


async def test_the_page_leads_from_an_empty_account_to_the_first_sale(here: Shop, tmp_path: Path) -> None:
    configured, sold = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    said = yaml.safe_load((tmp_path / "gateway.yaml").read_text())
    said["payments"] = yaml.safe_load(configured)["payments"]
    said["payments"]["stripe"]["api_base"] = here.fake.url
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(said))
    (tmp_path / "plans.yaml").write_text(sold)
    env = {"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": SECRET}
    client = here.sales.provider._client  # type: ignore[attr-defined]
    await client.post("webhook_endpoints", url=GATEWAY, enabled_events=list(EVENTS), api_version=VERSION)
    commands = re.findall(r"^weighbridge ((?:apply|sync|doctor) .*?)(?: +#.*)?$", PAGE, re.MULTILINE)
    assert [each.split()[0] for each in commands] == ["apply", "apply", "sync", "sync", "doctor", "sync"]
    for command in commands[:-1]:  # the last one moves on to the live account
        code, printed = await weighbridge(tmp_path, *command.replace("YOUR-GATEWAY", "gw.test").split(), **env)
        assert code == 0, printed
    (price,) = [each for each in here.fake.books.kept["prices"].values() if each["lookup_key"].endswith("usd_renewed")]
    assert (price["unit_amount"], price["recurring"]["interval_count"]) == (4900, 30)
    assert here.pay(await here.buy(mode="subscription", plan=await plans.get(here.store, here.plan.id)))
    await here.fake.deliver()
    assert await here.grants()


async def test_whoever_looks_on_sees_how_far_a_sync_is(here: Shop, tmp_path: Path) -> None:
    for user in ("alice", "bob", "carol"):
        assert here.pay(await here.buy(Scope("user", user), user_id=user))
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "KEY": KEY, "SECRET": SECRET, "TERM": "xterm"}
    program = (sys.executable, "-c", "from gateway.cli import main; main()", "sync", "--full")
    run = await asyncio.create_subprocess_exec(
        *program, cwd=tmp_path, env=env, stdout=asyncio.subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how the end of a terminal reads
        while more := await asyncio.to_thread(os.read, ours, 65536):
            shown += more
    os.close(ours)
    assert await run.wait() == 0
    assert re.search(rb"sales .*3", shown), shown
