"""Our ids stand in every place at Stripe that may be seen alone: nothing there inherits them."""

import pytest

from gateway.core.sale import Mode
from tests.payments.stripe.world import ALICE, item, sale, wish

OURS = {
    "app": "weighbridge",
    "plan_id": "p1",
    "scope": "user",
    "scope_id": "alice",
    "subscription_id": "s1",
    "user_id": "alice",
}


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_whatever_of_a_purchase_is_seen_alone_says_whose_it_is(mode: Mode) -> None:
    async with sale() as here:
        customer = await here.provider.ensure_customer(None, ALICE, "alice", "c1")
        order = await here.provider.open_order(wish(customer, item(mode=mode)))
        kept = here.fake.books.kept
        session = kept["sessions"][order.id]
        assert here.fake.selling.confirm(session)
        assert session["client_reference_id"] == "s1"
        places = {"session": session["metadata"]}
        if mode == "payment":
            (intent,), (charge,) = kept["payment_intents"].values(), kept["charges"].values()
            places |= {"intent": intent["metadata"], "charge": charge["metadata"]}
        else:
            (agreement,), (invoice,) = kept["subscriptions"].values(), kept["invoices"].values()
            places |= {
                "agreement": agreement["metadata"],
                "invoice": invoice["parent"]["subscription_details"]["metadata"],
            }
        assert {name: {key: said.get(key) for key in OURS} for name, said in places.items()} == dict.fromkeys(
            places, OURS
        )
        who = {key: OURS[key] for key in ("app", "scope", "scope_id", "user_id")}
        assert kept["customers"][customer]["metadata"] == who
        (price,) = kept["prices"].values()
        assert price["metadata"] == {"app": "weighbridge", "plan_id": "p1"}
        assert kept["products"]["gw_p1"]["metadata"] == {"app": "weighbridge", "plan_id": "p1", "slug": "pro"}
