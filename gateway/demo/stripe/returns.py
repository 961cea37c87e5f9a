"""Refunds and disputes as objects."""

from gateway.demo.stripe.objects import Object


def refund(id_: str, now: int, amount: int, of: Object) -> Object:
    """A refund of a charge."""
    return {
        "id": id_,
        "object": "refund",
        "amount": amount,
        "charge": of["id"],
        "created": now,
        "currency": of["currency"],
        "metadata": {},
        "payment_intent": of["payment_intent"],
        "reason": None,
        "status": "succeeded",
    }


_NO_EVIDENCE = """
    access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal
    customer_communication customer_email_address customer_name customer_purchase_ip customer_signature
    duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt
    refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation
    shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number
    uncategorized_file uncategorized_text
"""


def dispute(id_: str, now: int, of: Object, status: str) -> Object:
    """A dispute of a charge."""
    evidence: Object = dict.fromkeys(_NO_EVIDENCE.split())
    return {
        "id": id_,
        "object": "dispute",
        "amount": of["amount"],
        "balance_transactions": [],
        "charge": of["id"],
        "created": now,
        "currency": of["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**evidence, "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + 7 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": status.startswith("warning"),
        "livemode": False,
        "metadata": {},
        "payment_intent": of["payment_intent"],
        "reason": "fraudulent",
        "status": status,
    }
