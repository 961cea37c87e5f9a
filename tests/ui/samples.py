"""What the API answers where a payment provider is configured: for views that need one in states that take days."""

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime.now(UTC)


def at(**away: float) -> str:
    """An instant some time from now, as the API writes it."""
    return (NOW + timedelta(**away)).isoformat().replace("+00:00", "Z")


def about(url: str, *, providers: tuple[str, ...] = ("stripe",)) -> dict[str, Any]:
    return {
        "version": "0.0.0",
        "payments": {"providers": list(providers), "demo": False},
        "login": {"upstream": True, "admin": True},
        "workspace_header": "X-Workspace-ID",
        "currencies": {"usd": 2, "brl": 2, "jpy": 0, "kwd": 3},
        "buy_url": f"{url}/billing",
        "prefixes": {"billing": "/billing", "admin": "/billing-admin"},
    }


def plan(number: int, name: str, amount: int, prices: dict[str, int], **more: object) -> dict[str, Any]:
    plan_id = f"{number:08d}-0000-4000-8000-000000000001"
    rows = [
        {
            "id": f"{plan_id}{currency}",
            "plan_id": plan_id,
            "currency": currency,
            "price_cents": cents,
            "is_default": False,
        }
        for currency, cents in prices.items()
    ]
    return {
        "id": plan_id,
        "name": name,
        "slug": name.lower(),
        "description": more.pop("description", None),
        "throughput_limit": amount,
        "window_seconds": 3600,
        "duration_days": 30,
        "is_default": False,
        "is_custom": False,
        "active": True,
        "version": 1,
        "source": "database",
        "unlimited": False,
        "pack": False,
        "limits": [{"meter": "throughput", "amount": amount, "window_seconds": 3600, "refill": "interval"}],
        "prices": rows,
        **more,
    }


PLANS = [
    plan(1, "Free", 1_000, {}, description="To try things out.", is_default=True),
    plan(2, "Starter", 5_000, {"usd": 1_900, "brl": 9_900, "jpy": 2_900}, description="For one service in production."),
    plan(3, "Team", 20_000, {"usd": 4_900, "brl": 24_900, "jpy": 7_400}, description="For several services."),
    plan(4, "Scale", 250_000, {"usd": 29_900, "brl": 149_000, "kwd": 92_000}, description="For everything you have."),
]

LONG = plan(5, "Extraordinarily" * 8, 7_000, {"usd": 900})
"""Nothing forbids a name of one word that is longer than a phone is wide."""


def subscription(number: int, of: dict[str, Any], **changed: object) -> dict[str, Any]:
    return {
        "id": f"{number:08d}-0000-4000-8000-000000000002",
        "plan_id": of["id"],
        "plan": of,
        "scope": "user",
        "user_id": "0b3f6f9e-1111-4a11-8a11-a11ce0000001",
        "starts_at": at(days=-10),
        "expires_at": at(days=20),
        "payment_provider": "stripe",
        "payment_mode": "subscription",
        "payment_external_id": f"cs_test_{number}",
        "stripe_subscription_id": f"sub_{number}",
        "cancel_at_period_end": False,
        "status": "active",
        "source": "database",
        "created_at": at(days=-10),
        "updated_at": at(days=-10),
        **changed,
    }


SUBSCRIPTIONS = [
    subscription(1, PLANS[2]),
    subscription(2, PLANS[1], status="pending"),
    subscription(3, PLANS[3], cancel_at_period_end=True),
    subscription(4, PLANS[3], expires_at=at(days=-1)),
    subscription(5, PLANS[1], status="past_due"),
    subscription(6, PLANS[1], status="cancelled", cancelled_at=at(days=-2), payment_mode="payment"),
]

PAYMENTS: dict[str, Any] = {
    "data": [
        {
            "id": "pi_1",
            "amount_cents": 4_900,
            "currency": "usd",
            "status": "succeeded",
            "payment_method": "card",
            "plan": "team",
            "plan_name": "Team",
            "description": "One month",
            "created_at": at(days=-10),
            "receipt_url": "https://pay.example/receipt",
        },
        {
            "id": "pi_2",
            "amount_cents": 7_400,
            "currency": "jpy",
            "status": "processing",
            "payment_method": "boleto",
            "plan": "given-up",
            "description": "One month",
            "created_at": at(days=-11),
            "boleto_url": "https://pay.example/boleto",
            "boleto_pdf_url": "https://pay.example/boleto.pdf",
        },
    ],
    "has_more": False,
}

REVENUE = [
    {
        "plan": "team",
        "plan_name": "Team",
        "currency": "usd",
        "gross": 1_029_000,
        "refunded": 9_800,
        "net": 1_019_200,
        "payments": 210,
    },
    {
        "plan": "scale",
        "plan_name": "Scale",
        "currency": "usd",
        "gross": 897_000,
        "refunded": 0,
        "net": 897_000,
        "payments": 30,
    },
    {
        "plan": "starter",
        "plan_name": "Starter",
        "currency": "usd",
        "gross": 275_500,
        "refunded": 1_900,
        "net": 273_600,
        "payments": 145,
    },
    {
        "plan": "team",
        "plan_name": "Team",
        "currency": "jpy",
        "gross": 236_800,
        "refunded": 0,
        "net": 236_800,
        "payments": 32,
    },
]
