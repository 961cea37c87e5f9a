"""Stripe as a payment provider."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.sale import Agreement, Order, Receipt
from gateway.core.scope import Scope
from gateway.payments.port import (
    Account,
    BadSignature,
    Check,
    Drift,
    Foreign,
    Gone,
    Item,
    Memory,
    Owner,
    Preview,
    ProviderError,
    Signal,
    Wish,
)
from gateway.payments.stripe import (
    bills,
    catalog,
    changes,
    convert,
    endings,
    examine,
    pages,
    schedules,
    signals,
    walking,
)
from gateway.payments.stripe.client import Access, Client

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``app``: what marks the objects of this gateway, where several programs share an account.

    ``secrets``: any of them may have signed.
    """

    access: Access
    secrets: tuple[str, ...] = field(default=(), repr=False)
    app: str = "weighbridge"


class StripeProvider:
    """See ``payments.port.Provider``."""

    name = "stripe"
    alarming = signals.ALARMING

    def __init__(self, config: Config, memory: Memory) -> None:
        self._config = config
        self._app = config.app
        self._client = Client(config.access, memory)
        self.test = config.access.test

    async def whose(self) -> Account:
        """See the port."""
        return await self._client.whose()

    async def admitted(self) -> Account:
        """See the port."""
        return await self._client.admitted()

    async def ensure_customer(self, known: str | None, scope: Scope, user_id: str | None, key: str) -> str:
        """See the port. A customer that was deleted in the dashboard answers, and says so.

        Of a workspace each member says the same, so that two who are its first at once make one.
        """
        if known is not None:
            try:
                found = await self._client.get(f"customers/{known}")
            except Gone:
                found = {"deleted": True}
            if not found.get("deleted"):
                return known
        said = {"app": self._app, "scope": scope.kind, "scope_id": scope.id}
        if user_id is not None and scope.kind == "user":
            said["user_id"] = user_id
        made = await self._client.post("customers", key=key, metadata=said, description=f"{scope.kind} {scope.id}")
        return str(made["id"])

    async def open_order(self, wish: Wish) -> Order:
        """See the port."""
        return await pages.open_page(self._client, wish, await self._price(wish.item), self._app)

    async def order(self, id_: str) -> Order:
        """See the port."""
        return await pages.read_page(self._client, id_, self._app)

    async def expire_order(self, id_: str) -> Order:
        """See the port."""
        return await pages.close_page(self._client, id_, self._app)

    async def agreement(self, id_: str) -> Agreement:
        """See the port."""
        return convert.agreement(await self._client.get(f"subscriptions/{id_}", expand=["schedule"]), self._app)

    async def receipts(self, *, agreement: str | None = None, payment: str | None = None) -> tuple[Receipt, ...]:
        """See the port. Refunds and disputes are of charges, which do not name their invoice any more."""
        if payment is not None:
            intent = await self._client.get(f"payment_intents/{payment}", expand=["latest_charge"])
            charge = intent.get("latest_charge") or {}
            return (convert.bought_once(intent, await self._disputes([charge])),)
        if agreement is None:
            return ()
        invoices = [
            await bills.whole(self._client, each)
            async for each in self._client.every("invoices", subscription=agreement, expand=["data.payments"])
        ]
        charges: list[convert.Json] = []
        for customer in {convert.id_of(invoice["customer"]) for invoice in invoices if invoice["amount_paid"]}:
            charges += [each async for each in self._client.every("charges", customer=customer)]
        disputes = await self._disputes(charges)
        found = (convert.agreed(invoice, charges, disputes) for invoice in invoices)
        return tuple(receipt for receipt in found if receipt is not None)

    async def _disputes(self, charges: Sequence[convert.Json]) -> list[convert.Json]:
        found: list[convert.Json] = []
        for charge in charges:
            if charge.get("disputed"):
                found += [each async for each in self._client.every("disputes", charge=charge["id"])]
        return found

    async def stop(self, agreement: str) -> Agreement:
        """See the port."""
        return convert.agreement(await schedules.stop(self._client, agreement, self._app), self._app)

    async def resume(self, agreement: str) -> Agreement:
        """See the port."""
        return convert.agreement(await schedules.resume(self._client, agreement, self._app), self._app)

    async def end(self, agreement: str) -> Agreement:
        """See the port."""
        return convert.agreement(await endings.end(self._client, agreement), self._app)

    async def withdraw(self, agreement: str) -> Agreement:
        """See the port."""
        return convert.agreement(await endings.withdraw(self._client, agreement), self._app)

    async def preview(self, agreement: str, item: Item, at_us: int) -> Preview:
        """See the port."""
        return await changes.preview(self._client, agreement, await self._price(item), at_us)

    async def change(self, agreement: str, item: Item, at_us: int, key: str) -> Agreement:
        """See the port."""
        asked = changes.Asked(await self._price(item), at_us, key)
        return convert.agreement(await changes.change(self._client, agreement, asked, self._app), self._app)

    async def change_later(self, agreement: str, item: Item) -> Agreement:
        """See the port."""
        then = schedules.Then(await self._price(item), item.plan_id, item.name)
        await schedules.make(self._client, agreement, then, self._app)
        return await self.agreement(agreement)

    async def stay(self, agreement: str) -> Agreement:
        """See the port."""
        await schedules.release(self._client, agreement, self._app)
        return await self.agreement(agreement)

    async def _price(self, item: Item) -> str:
        return await catalog.price_of(self._client, item, self._app)

    async def portal(self, customer: str, return_url: str) -> str:
        """See the port."""
        made = await self._client.post("billing_portal/sessions", customer=customer, return_url=return_url)
        return str(made["url"])

    def read_signal(self, headers: Mapping[str, str], body: bytes, now_us: int) -> Signal:
        """See the port. Only what happens in a connected account names an account; a platform is told of both modes."""
        signals.verify(headers.get("stripe-signature", ""), body, self._config.secrets, now_us)
        try:
            signal = signals.signal_of(body)
        except ValueError:
            raise BadSignature from None
        if signal.test != self.test or signal.account not in (None, self._config.access.account):
            raise Foreign
        return signal

    async def signals(self, after: str | None, since_us: int) -> AsyncIterator[Signal]:
        """See the port. Without ``after``: from ``since_us`` on. Stripe keeps events for 30 days."""
        created = {"gte": since_us // _SECOND_US}
        if after is not None:
            found = self._client.every("events", ending_before=after)
            async for event in found:
                yield signals.signal_of(_text(event))
            return
        held = [event async for event in self._client.every("events", created=created)]
        for event in reversed(held):
            yield signals.signal_of(_text(event))

    async def owner(self, signal: Signal) -> Owner:
        """See the port."""
        what, found = signals.traced(signal, self._app)
        if what == "owner":
            assert isinstance(found, Owner)  # noqa: S101  (the pair says so)
            return found
        return await self._paid_with(str(found))

    async def _paid_with(self, intent_id: str) -> Owner:
        """Whose a payment intent is: its own tag says it, or the invoice that it paid."""
        intent = await self._client.get(f"payment_intents/{intent_id}")
        if (tag := convert.tag_of(intent.get("metadata"), self._app)) is not None:
            return Owner(tag.subscription)
        by = {"type": "payment_intent", "payment_intent": intent_id}
        async for paid in self._client.every("invoice_payments", payment=by, expand=["data.invoice"]):
            if isinstance(paid["invoice"], Mapping) and (found := convert.subscription_of(paid["invoice"])) is not None:
                tag = convert.tag_of_invoice(paid["invoice"], self._app)
                return Owner(None if tag is None else tag.subscription, agreement=found)
        return Owner()

    async def everything(self, since_us: int, after: str | None = None) -> AsyncIterator[tuple[Owner, str]]:
        """See the port: all subscriptions, and the checkouts since ``since_us``."""
        async for found in walking.everything(self._client, self._app, since_us // _SECOND_US, after):
            yield found

    async def push(self, items: Sequence[Item], *, dry_run: bool) -> tuple[Drift, ...]:
        """See the port."""
        return await catalog.push(self._client, items, self._app, dry_run=dry_run)

    def objection(self, item: Item) -> str | None:
        """See the port."""
        try:
            catalog.check(item)
        except ProviderError as error:
            return error.message
        return None

    async def examine(self, webhook_url: str | None, currencies: Sequence[str]) -> tuple[Check, ...]:
        """See the port."""
        return await examine.examine(self._client, webhook_url, currencies)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()


def _text(event: convert.Json) -> str:
    import orjson  # noqa: PLC0415

    return orjson.dumps(event).decode()
