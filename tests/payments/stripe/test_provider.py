"""Our Stripe against the fake one, with Stripe's own document as the judge of both."""

from typing import Any

import orjson
import pytest

from gateway.clock import now_us
from gateway.core.sale import AgreementState, Dispute, OrderState, PaymentState
from gateway.core.scope import Scope
from gateway.demo.stripe.server import Fault
from gateway.payments.port import Drift, Gone, Owner, ProviderError
from gateway.payments.stripe.client import Access, Client
from gateway.payments.stripe.examine import _clock
from gateway.payments.stripe.provider import Config, StripeProvider
from gateway.payments.stripe.signals import signal_of
from tests.payments.stripe.world import ALICE, START, Notes, Sale, item, sale, wish

DAY = 86_400


async def ordered(here: Sale, *, mode: str = "payment", key: str = "k1", amount: int = 500, trial_days: int = 0) -> str:
    customer = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
    of = item(amount, mode)  # type: ignore[arg-type]
    return (await here.provider.open_order(wish(customer, of, key, trial_days=trial_days))).id


def pay(here: Sale, order: str, *, delayed: bool = False) -> bool:
    return here.fake.selling.confirm(here.fake.books.get("sessions", order), delayed=delayed)


async def test_a_purchase_is_read_with_its_receipt() -> None:
    async with sale() as here:
        id_ = await ordered(here)
        before = await here.provider.order(id_)
        assert (before.state, before.tag and before.tag.subscription) == (OrderState.OPEN, "s1")
        assert pay(here, id_)
        order = await here.provider.order(id_)
        assert (order.state, order.agreement) == (OrderState.PAID, None)
        (receipt,) = await here.provider.receipts(payment=order.payment)
        assert (receipt.state, receipt.amount, receipt.paid_us, receipt.kept) == (
            PaymentState.PAID,
            500,
            START * 1_000_000,
            True,
        )


async def test_asking_twice_opens_one_order() -> None:
    async with sale() as here:
        assert await ordered(here) == await ordered(here)
        assert len(here.fake.books.kept["sessions"]) == 1


async def test_an_agreement_renews_and_its_receipts_name_their_periods() -> None:
    async with sale() as here:
        id_ = await ordered(here, mode="subscription")
        assert pay(here, id_)
        order = await here.provider.order(id_)
        assert order.agreement is not None
        here.fake.advance(30 * DAY + 3600)
        agreement = await here.provider.agreement(order.agreement)
        assert (agreement.state, agreement.plan_id) == (AgreementState.ACTIVE, "p1")
        assert agreement.tag is not None
        assert agreement.tag.scope == ALICE
        receipts = await here.provider.receipts(agreement=order.agreement)
        first_us = START * 1_000_000
        periods = sorted((each.period_start_us or 0, each.period_end_us or 0) for each in receipts)
        assert periods == [(first_us + n * 30 * DAY * 10**6, first_us + (n + 1) * 30 * DAY * 10**6) for n in (0, 1)]


async def test_what_a_bank_declines_is_past_due_and_can_be_paid_at_its_page() -> None:
    async with sale() as here:
        id_ = await ordered(here, mode="subscription")
        pay(here, id_)
        order = await here.provider.order(id_)
        here.fake.books.declining.update(here.fake.books.kept["customers"])
        here.fake.advance(30 * DAY + 3600)
        agreement = await here.provider.agreement(order.agreement or "")
        assert agreement.state is AgreementState.PAST_DUE
        newest = max(await here.provider.receipts(agreement=order.agreement), key=lambda each: each.created_us)
        assert (newest.state, bool(newest.pay_url)) == (PaymentState.OPEN, True)
        here.fake.advance(10 * DAY)
        assert (await here.provider.agreement(order.agreement or "")).state is AgreementState.ENDED


@pytest.mark.parametrize("beside", [9, 10, 100])
async def test_a_renewal_is_seen_however_much_stands_before_it_on_its_invoice(beside: int) -> None:
    async with sale() as here:
        id_ = await ordered(here, mode="subscription")
        pay(here, id_)
        order = await here.provider.order(id_)
        (customer,) = here.fake.books.kept["customers"]
        for number in range(beside):
            said: dict[str, Any] = {"customer": customer, "amount": 1, "description": f"Seat {number}"}
            await here.provider._client.post("invoiceitems", currency="usd", **said)
        here.fake.advance(30 * DAY + 3600)
        newest = max(await here.provider.receipts(agreement=order.agreement), key=lambda each: each.created_us)
        assert (newest.state, newest.amount, newest.plan_id) == (PaymentState.PAID, 500 + beside, "p1")
        assert newest.period_end_us == (START + 60 * DAY) * 1_000_000
        asked = [path for _, path in here.fake.requests if path.endswith("/lines")]
        assert len(asked) == (0 if beside < 10 else 1 + beside // 100), "only where some are missing, page by page"


async def test_ending_what_is_over_already_says_that_it_is_over() -> None:
    async with sale(retries=0) as here:
        id_ = await ordered(here, mode="subscription")
        pay(here, id_)
        agreement = (await here.provider.order(id_)).agreement or ""
        here.fake.faults.append(Fault(f"subscriptions/{agreement}", 500, after=True, method="DELETE"))
        with pytest.raises(ProviderError):
            await here.provider.end(agreement)
        assert (await here.provider.end(agreement)).state is AgreementState.ENDED
        with pytest.raises(Gone):
            await here.provider.end("sub_never")


async def test_stopping_and_resuming() -> None:
    async with sale() as here:
        id_ = await ordered(here, mode="subscription")
        pay(here, id_)
        agreement = (await here.provider.order(id_)).agreement or ""
        assert (await here.provider.stop(agreement)).stopping
        assert not (await here.provider.resume(agreement)).stopping
        here.fake.books.get("subscriptions", agreement)["cancel_at"] = START + 30 * DAY  # as a portal says it
        assert (await here.provider.agreement(agreement)).stopping
        assert not (await here.provider.resume(agreement)).stopping
        assert (await here.provider.end(agreement)).state is AgreementState.ENDED


async def test_refunds_and_disputes_are_read_from_the_charge() -> None:
    async with sale() as here:
        id_ = await ordered(here)
        pay(here, id_)
        payment = (await here.provider.order(id_)).payment
        charge = next(iter(here.fake.books.kept["charges"].values()))
        here.fake.money.refund(charge, 200)
        (receipt,) = await here.provider.receipts(payment=payment)
        assert (receipt.refunded, receipt.kept) == (200, True)
        dispute = here.fake.money.dispute(charge, "warning_needs_response")
        assert (await here.provider.receipts(payment=payment))[0].dispute is Dispute.NONE, "an inquiry takes no money"
        dispute["status"] = "needs_response"
        assert not (await here.provider.receipts(payment=payment))[0].kept
        here.fake.money.decide(dispute, "won")
        assert (await here.provider.receipts(payment=payment))[0].kept


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_every_event_of_ours_leads_to_whom_it_belongs(mode: str) -> None:
    async with sale() as here:
        id_ = await ordered(here, mode=mode)
        pay(here, id_)
        charge = next(iter(here.fake.books.kept["charges"].values()))
        here.fake.money.refund(charge, 100)
        here.fake.money.decide(here.fake.money.dispute(charge), "lost")
        agreement = (await here.provider.order(id_)).agreement
        found = [signal async for signal in here.provider.signals(None, 0)]
        assert [signal.key for signal in found] == [event["id"] for event in here.fake.books.events]
        for signal in found:
            owner = await here.provider.owner(signal)
            if signal.subject in ("order", "agreement", "payment"):
                assert "s1" in owner or (agreement is not None and agreement in owner), signal.kind
        after = [signal.key async for signal in here.provider.signals(found[2].key, 0)]
        assert after == [signal.key for signal in found[3:]]
        with pytest.raises(Gone):
            await anext(aiter(here.provider.signals("evt_forgotten", 0)))


async def test_what_somebody_else_sells_on_this_account_is_nobody_of_ours() -> None:
    async with sale() as here:
        books = here.fake.books
        customer = here.provider._client
        made = await customer.post("customers", metadata={"other": "app"})
        price = await customer.post("prices", currency="usd", unit_amount=1, product_data={"name": "Other"})
        session = await customer.post(
            "checkout/sessions",
            mode="payment",
            customer=made["id"],
            line_items=[{"price": price["id"], "quantity": 1}],
            success_url="https://other.test/",
        )
        pay(here, session["id"])
        for event in books.events:
            assert await here.provider.owner(signal_of(orjson.dumps(event))) == Owner(), event["type"]


async def test_a_customer_who_was_deleted_is_made_anew() -> None:
    async with sale() as here:
        first = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
        assert await here.provider.ensure_customer(first, ALICE, "alice", "c2") == first
        await here.provider._client.delete(f"customers/{first}")
        assert await here.provider.ensure_customer(first, ALICE, "alice", "c3") != first
        assert await here.provider.ensure_customer("cus_never", ALICE, "alice", "c4") != first


async def test_two_members_who_are_the_first_of_a_workspace_on_two_gateways_make_one_customer() -> None:
    async with sale() as here:
        acme = Scope("workspace", "acme")
        made = [await here.provider.ensure_customer(None, acme, user, "c1") for user in ("alice", "bob")]
        assert made[0] == made[1]
        assert len(here.fake.books.kept["customers"]) == 1


async def test_the_catalog_is_pushed_once_and_a_new_amount_takes_the_name_over() -> None:
    async with sale() as here:
        items = [item(), item(mode="subscription"), item(currency="jpy", amount=900)]
        assert len(await here.provider.push(items, dry_run=True)) == 4, "a product and three prices"
        assert here.fake.books.kept["products"] == {}
        assert all(each.mended for each in await here.provider.push(items, dry_run=False))
        assert await here.provider.push(items, dry_run=False) == ()
        dearer = [item(700), *items[1:]]
        (drift,) = await here.provider.push(dearer, dry_run=False)
        assert drift.problem == "costs 500 usd and not 700 usd"
        active = [each for each in here.fake.books.kept["prices"].values() if each["active"]]
        assert sorted(each["unit_amount"] for each in active) == [500, 700, 900]
        here.fake.books.get("products", "gw_p1")["name"] = "Prö"
        (edited,) = await here.provider.push(dearer, dry_run=True)
        assert edited.problem == "is called 'Prö' and not 'Pro'"
        left = await here.provider.push(items[1:2], dry_run=False)
        assert [each.problem for each in left if "sold" in each.problem] == ["is not sold any more"] * 2


def problems(found: tuple[Drift, ...]) -> set[tuple[str, str]]:
    return {(each.object, each.problem) for each in found}


async def test_what_somebody_edited_on_what_is_ours_is_told_and_put_right_and_what_is_theirs_stays() -> None:
    async with sale() as here:
        items = [item(description="All of it."), item(mode="subscription", description="All of it.")]
        await here.provider.push(items, dry_run=False)
        product = here.fake.books.get("products", "gw_p1")
        once, renewed = here.fake.books.kept["prices"].values()
        product |= {"description": "Unlimited!", "metadata": {"slug": "pro", "app": "other", "colour": "red"}}
        renewed["metadata"] = {"app": "weighbridge", "plan_id": "another", "note": "theirs"}
        once["metadata"] = {}
        told = {
            ("gw_p1", "is described in other words than here"),
            ("gw_p1", "says app 'other' in its metadata and not 'weighbridge'"),
            ("gw_p1", "says plan_id None in its metadata and not 'p1'"),
            ("gw_p1_usd_once", "says app None in its metadata and not 'weighbridge'"),
            ("gw_p1_usd_once", "says plan_id None in its metadata and not 'p1'"),
            ("gw_p1_usd_renewed", "says plan_id 'another' in its metadata and not 'p1'"),
        }
        seen = await here.provider.push(items, dry_run=True)
        assert (problems(seen), any(each.mended for each in seen)) == (told, False)
        assert product["description"] == "Unlimited!", "a dry run changes nothing"
        done = await here.provider.push(items, dry_run=False)
        assert (problems(done), all(each.mended for each in done)) == (told, True)
        assert product["description"] == "All of it."
        assert product["metadata"] == {"slug": "pro", "app": "weighbridge", "colour": "red", "plan_id": "p1"}
        assert renewed["metadata"] == {"app": "weighbridge", "plan_id": "p1", "note": "theirs"}
        assert await here.provider.push(items, dry_run=False) == ()
        assert len(here.fake.books.kept["prices"]) == 2, "no price is made anew for it"


async def test_a_price_that_somebody_else_puts_on_our_product_is_told_and_stays() -> None:
    async with sale() as here:
        await here.provider.push([item()], dry_run=False)
        said: dict[str, Any] = {"product": "gw_p1", "currency": "usd", "unit_amount": 1}
        theirs = await here.provider._client.post("prices", **said)
        for dry_run in (True, False):
            (drift,) = await here.provider.push([item()], dry_run=dry_run)
            assert drift == (theirs["id"], "was put on gw_p1 by somebody else", False)
        assert here.fake.books.get("prices", theirs["id"])["active"]


async def test_a_description_that_goes_here_goes_there() -> None:
    async with sale() as here:
        for words, there in (("All of it.", "All of it."), (" Half of it. ", "Half of it."), (None, None)):
            await here.provider.push([item(description=words)], dry_run=False)
            assert here.fake.books.get("products", "gw_p1")["description"] == there
            assert await here.provider.push([item(description=words)], dry_run=False) == ()


async def test_a_change_of_plan_costs_what_its_preview_said() -> None:
    async with sale() as here:
        id_ = await ordered(here, mode="subscription")
        pay(here, id_)
        agreement = (await here.provider.order(id_)).agreement or ""
        here.fake.advance(10 * DAY)
        dearer = item(2000, "subscription", plan_id="p2", slug="max", name="Max")
        at_us = here.fake.books.now * 1_000_000
        preview = await here.provider.preview(agreement, dearer, at_us)
        assert [line.amount for line in preview.lines] == [-333, 1333]
        changed = await here.provider.change(agreement, dearer, preview.at_us, "ch1")
        assert changed.plan_id == "p2"
        receipts = await here.provider.receipts(agreement=agreement)
        assert preview.amount_due in [each.amount for each in receipts]
        back = await here.provider.change(agreement, item(500, "subscription"), at_us, "ch2")
        assert back.plan_id == "p1"


async def test_a_change_that_is_not_paid_changes_nothing() -> None:
    async with sale() as here:
        id_ = await ordered(here, mode="subscription")
        pay(here, id_)
        order = await here.provider.order(id_)
        here.fake.books.declining.update(here.fake.books.kept["customers"])
        dearer = item(2000, "subscription", plan_id="p2")
        at_us = here.fake.books.now * 1_000_000
        assert (await here.provider.change(order.agreement or "", dearer, at_us, "ch1")).plan_id == "p1"


async def test_the_money_behind_a_bill_is_found_however_many_payments_were_tried_on_it() -> None:
    async with sale() as here:
        id_ = await ordered(here, mode="subscription")
        pay(here, id_)
        agreement = (await here.provider.order(id_)).agreement or ""
        (paid,) = here.fake.books.kept["invoice_payments"].values()
        for _ in range(12):
            tried = {**paid, "id": here.fake.books.id("inpay"), "status": "canceled", "is_default": False}
            here.fake.books.keep(
                "invoice_payments", {**tried, "payment": {**paid["payment"], "payment_intent": "pi_0"}}
            )
        (charge,) = here.fake.books.kept["charges"].values()
        here.fake.money.refund(charge, None)
        (receipt,) = await here.provider.receipts(agreement=agreement)
        assert (receipt.refunded, receipt.kept) == (receipt.amount, False)


async def test_an_order_that_is_paid_cannot_be_closed_any_more() -> None:
    async with sale() as here:
        first = await ordered(here)
        assert (await here.provider.expire_order(first)).state is OrderState.EXPIRED
        second = await ordered(here, key="k2")
        pay(here, second)
        assert (await here.provider.expire_order(second)).state is OrderState.PAID


async def test_money_that_comes_later_is_on_its_way_until_it_came_or_did_not() -> None:
    async with sale() as here:
        for key, paid, state in (("k1", True, OrderState.PAID), ("k2", False, OrderState.FAILED)):
            id_ = await ordered(here, key=key)
            pay(here, id_, delayed=True)
            assert (await here.provider.order(id_)).state is OrderState.PROCESSING
            here.fake.selling.settle(here.fake.books.get("sessions", id_), paid=paid)
            assert (await here.provider.order(id_)).state is state


async def test_a_trial_is_a_period_that_costs_nothing() -> None:
    async with sale() as here:
        id_ = await ordered(here, mode="subscription", trial_days=14)
        pay(here, id_)
        order = await here.provider.order(id_)
        assert (await here.provider.agreement(order.agreement or "")).state is AgreementState.TRIALING
        (receipt,) = await here.provider.receipts(agreement=order.agreement)
        assert (receipt.amount, receipt.kept, receipt.period_end_us) == (0, True, (START + 14 * DAY) * 1_000_000)


async def test_the_portal_is_of_one_customer() -> None:
    async with sale() as here:
        customer = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
        assert (await here.provider.portal(customer, "https://shop.test/")).startswith(here.fake.url)


async def test_what_is_wrong_with_the_account_is_said_with_what_to_do() -> None:
    url = "https://gw.test/billing/webhook/stripe"
    async with sale() as here:

        async def bad() -> list[str]:
            checks = await here.provider.examine(url, ["eur", "usd"])
            assert all(each.mend for each in checks if each.verdict != "good")
            return [each.what for each in checks if each.verdict == "bad"]

        assert await bad() == [f"no webhook endpoint points to {url}"]
        await here.provider._client.post("webhook_endpoints", url=url, enabled_events=["invoice.paid"])
        (silent,) = await bad()
        assert silent.startswith("it does not send charge.dispute.closed,")
        (endpoint,) = here.fake.books.kept["endpoints"].values()
        endpoint |= {"status": "disabled", "enabled_events": ["*"]}
        assert await bad() == ["the webhook endpoint is disabled"]
        endpoint["status"] = "enabled"
        assert await bad() == []
        here.fake.faults += [Fault(path, 403, method="GET") for path in ("disputes", "events")]
        assert await bad() == ["the key may not read Disputes, Events"]


@pytest.mark.parametrize(
    ("off_s", "verdict", "what"),
    [
        (0, "good", "this machine's clock and Stripe's agree"),
        (120, "look", "s ahead of Stripe's"),
        (-120, "look", "s behind Stripe's"),
        (400, "bad", "s ahead of Stripe's: every webhook is refused"),
        (-400, "bad", "s behind Stripe's: every webhook is refused"),
    ],
)
async def test_a_clock_that_is_wrong_is_told_before_webhooks_are_refused(
    monkeypatch: pytest.MonkeyPatch, off_s: int, verdict: str, what: str
) -> None:
    monkeypatch.setattr("gateway.payments.stripe.client.now_us", lambda: now_us() + off_s * 1_000_000)
    async with sale() as here:
        (check,) = [each for each in await here.provider.examine(None, ["usd"]) if "clock" in each.what]
        assert (check.verdict, bool(check.mend)) == (verdict, verdict != "good")
        assert check.what.endswith(what)


def test_a_time_that_stripe_does_not_say_is_looked_up_by_hand() -> None:
    client = Client(Access(api_key="sk_test_0"), Notes())
    assert client.ahead_us is None
    client._last = ("some day", 0)
    assert client.ahead_us is None
    assert _clock(None).verdict == "look"


async def test_what_is_well_and_what_only_a_person_can_see_is_on_the_list_too() -> None:
    async with sale() as here:
        checks = await here.provider.examine(None, ["eur", "usd"])
        said = {
            verdict: [each.what for each in checks if each.verdict == verdict] for verdict in ("good", "look", "ask")
        }
        assert {"the account can charge", "the customer portal is set up"} <= set(said["good"])
        assert "prices in eur are not in the account's own currency" in said["look"]
        assert "the key is of acct_not_real (sandbox): no money is real" in said["look"]
        assert len(said["ask"]) >= 3


async def test_a_portal_in_which_plans_can_be_switched_is_told() -> None:
    async with sale() as here:
        here.fake.books.switching = True
        checks = await here.provider.examine(None, [])
        (said,) = [each for each in checks if "switch plans" in each.what]
        assert (said.verdict, "turn it off" in said.mend) == ("look", True)


async def test_no_error_shows_the_key() -> None:
    async with sale() as here:
        access = Access(api_key="sk_live_" + "9" * 24, base=here.fake.url, retries=0)
        bad = StripeProvider(Config(access=access, secrets=("whsec_9999",)), Notes())
        try:
            with pytest.raises(ProviderError) as refused:
                await bad.order("cs_1")
            assert "9999" not in str(refused.value)
            assert "9999" not in repr(bad._config)
        finally:
            await bad.close()


@pytest.mark.parametrize("done", [False, True])
async def test_a_failure_that_stripe_repeats_for_a_day_stands_in_nobodys_way(*, done: bool) -> None:
    async with sale() as here:
        here.fake.faults += [Fault("checkout/sessions", 500, after=done)]
        with pytest.raises(ProviderError, match="Stripe failed"):
            await ordered(here)
        assert await ordered(here) == await ordered(here)
        assert len(here.fake.books.kept["sessions"]) == 1, "also if it was made before it failed"


async def test_a_customer_and_a_price_are_made_after_a_failure_that_is_repeated() -> None:
    async with sale() as here:
        for path in ("customers", "prices"):
            here.fake.faults += [Fault(path, 500)]
            with pytest.raises(ProviderError, match="Stripe failed"):
                await ordered(here)
        assert (await here.provider.order(await ordered(here))).state is OrderState.OPEN


async def test_a_key_that_was_used_for_something_else_gives_the_page_that_is_there() -> None:
    async with sale() as here:
        first = await ordered(here)
        assert await ordered(here, trial_days=3, amount=700) == first, "Stripe refuses the key: these are other terms"
        assert len(here.fake.books.kept["sessions"]) == 1


async def test_a_price_that_was_archived_and_comes_back_is_a_new_one() -> None:
    async with sale() as here:
        for amount in (500, 600, 500):
            await here.provider.push([item(amount)], dry_run=False)
        sold = [each["unit_amount"] for each in here.fake.books.kept["prices"].values() if each["active"]]
        assert sold == [500]
        assert len(here.fake.books.kept["prices"]) == 3


async def test_closing_a_page_works_after_a_failure_that_is_repeated() -> None:
    async with sale() as here:
        id_ = await ordered(here)
        here.fake.faults += [Fault(f"checkout/sessions/{id_}/expire", 500)]
        with pytest.raises(ProviderError, match="Stripe failed"):
            await here.provider.expire_order(id_)
        assert (await here.provider.expire_order(id_)).state is OrderState.EXPIRED
