"""Stripe's own command line runs its scenarios against our fake Stripe: what it thinks Stripe does, the fake must do.

It comes by ``make ui`` from npm (``tests/node``), for Linux on x64.
"""

import asyncio
import os
import platform
import sys
from pathlib import Path

import pytest

from gateway.demo.stripe.server import FakeStripe
from tests.payments.stripe.judge import Judge
from tests.payments.stripe.world import START

ROOT = Path(__file__).parents[3]
STRIPE = ROOT / "tests" / "node" / "node_modules" / "@stripe" / "cli-linux-x64" / "bin" / "stripe"
KEY = "sk_test_" + "0" * 24
TRIGGERS = (
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.trial_will_end",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_action_required",
    "charge.refunded",
    "charge.dispute.created",
    "payment_intent.succeeded",
    "price.created",
)
UNSENT = {"customer.subscription.trial_will_end"}
"""What our fake does not tell: nothing of ours hangs on it."""

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="Stripe's CLI is here for Linux on x64 only"
)


@pytest.fixture(autouse=True)
def _installed() -> None:
    assert STRIPE.exists(), "Stripe's command line is not installed: make ui"


@pytest.mark.parametrize("event", TRIGGERS)
async def test_its_scenario_runs_and_ends_in_its_event(event: str, tmp_path: Path) -> None:
    judge = Judge()
    fake = FakeStripe(now=lambda: START, automatic=False, on_request=judge)
    url = await fake.start()
    try:
        run = await asyncio.create_subprocess_exec(
            *(str(STRIPE), "trigger", event, "--api-key", KEY, "--api-base", url),
            env={**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(run.communicate(), 60)
        assert run.returncode == 0, said.decode()
        if event not in UNSENT:
            assert event in {each["type"] for each in fake.books.events}
        judge.judge_events(fake)
        assert judge.faults == []
    finally:
        await fake.close()
