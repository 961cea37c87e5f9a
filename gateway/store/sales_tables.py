"""The tables of what is sold through a payment provider, beside ``tables``. Ids of the provider's are its own."""

import sqlalchemy as sa

from gateway.store.tables import ID, INSTANT, MAX_AMOUNT, SCOPE_ID, among, metadata

EXTERNAL_ID = sa.String(255)
PROVIDER = sa.String(32)
ACCOUNT = sa.String(96)

customers = sa.Table(
    "customers",
    metadata,
    sa.Column("provider", PROVIDER, primary_key=True),
    sa.Column("scope_kind", sa.String(16), primary_key=True),
    sa.Column("scope_id", SCOPE_ID, primary_key=True),
    sa.Column("external_id", EXTERNAL_ID, nullable=False),
    sa.Column("created_us", INSTANT, nullable=False),
    sa.UniqueConstraint("provider", "external_id"),
)

# What a subscription was ordered as, and when it is to be compared with the provider's.
orders = sa.Table(
    "orders",
    metadata,
    sa.Column("subscription_id", ID, sa.ForeignKey("subscriptions.id"), primary_key=True),
    sa.Column("provider", PROVIDER, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("due_us", INSTANT, index=True),
    sa.Column("reads", sa.BigInteger, nullable=False),
    sa.Column("read_us", INSTANT),
    sa.Column("problem", sa.Text),
    sa.Column("account", ACCOUNT),
    sa.Column("surplus", sa.Text),
    sa.CheckConstraint(f"amount BETWEEN 0 AND {MAX_AMOUNT}", name="amount"),
)

# The pages on which an order can be paid: a new one each time it is taken up again.
checkouts = sa.Table(
    "checkouts",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("subscription_id", ID, sa.ForeignKey("subscriptions.id"), nullable=False, index=True),
    sa.Column("provider", PROVIDER, nullable=False),
    sa.Column("external_id", EXTERNAL_ID),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("url", sa.Text),
    sa.Column("success_url", sa.Text, nullable=False),
    sa.Column("cancel_url", sa.Text, nullable=False),
    sa.Column("expires_us", INSTANT, nullable=False),
    sa.Column("created_us", INSTANT, nullable=False),
    sa.Column("trial_days", sa.Integer),
    sa.UniqueConstraint("provider", "external_id"),
    sa.CheckConstraint(among("state", "opening", "open", "processing", "paid", "failed", "expired"), name="state"),
)

signals = sa.Table(
    "signals",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("provider", PROVIDER, nullable=False),
    sa.Column("key", EXTERNAL_ID, nullable=False),
    sa.Column("kind", sa.String(128), nullable=False),
    sa.Column("subject", sa.String(16), nullable=False),
    sa.Column("subject_id", EXTERNAL_ID, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("subscription_id", ID),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_us", INSTANT),
    sa.Column("problem", sa.Text),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("happened_us", INSTANT, nullable=False),
    sa.Column("created_us", INSTANT, nullable=False),
    sa.Column("updated_us", INSTANT, nullable=False),
    sa.UniqueConstraint("provider", "key"),
    sa.CheckConstraint(among("state", "received", "done", "ignored", "failed"), name="state"),
)
sa.Index("ix_signals_next_us", signals.c.next_us)
sa.Index("ix_signals_created_us", signals.c.created_us, signals.c.id)

payments = sa.Table(
    "payments",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("provider", PROVIDER, nullable=False),
    sa.Column("external_id", EXTERNAL_ID, nullable=False),
    sa.Column("subscription_id", ID, sa.ForeignKey("subscriptions.id"), nullable=False, index=True),
    sa.Column("plan_slug", sa.String(64), nullable=False),
    sa.Column("scope_kind", sa.String(16), nullable=False),
    sa.Column("scope_id", SCOPE_ID, nullable=False),
    sa.Column("user_id", SCOPE_ID),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("refunded", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("dispute", sa.String(16), nullable=False),
    sa.Column("method", sa.String(64)),
    sa.Column("description", sa.Text),
    sa.Column("receipt_url", sa.Text),
    sa.Column("pay_url", sa.Text),
    sa.Column("period_start_us", INSTANT),
    sa.Column("period_end_us", INSTANT),
    sa.Column("paid_us", INSTANT, index=True),
    sa.Column("created_us", INSTANT, nullable=False),
    sa.UniqueConstraint("provider", "external_id"),
    sa.CheckConstraint(among("state", "open", "processing", "paid", "void"), name="state"),
    sa.CheckConstraint(among("dispute", "none", "open", "won", "lost"), name="dispute"),
    sa.CheckConstraint(f"amount BETWEEN 0 AND {MAX_AMOUNT} AND refunded BETWEEN 0 AND {MAX_AMOUNT}", name="amount"),
)
sa.Index("ix_payments_scope", payments.c.scope_id, payments.c.scope_kind, payments.c.created_us)

# How far the provider's happenings were read, and what the last runs of the sync found, as JSON.
syncs = sa.Table(
    "syncs",
    metadata,
    sa.Column("provider", PROVIDER, primary_key=True),
    sa.Column("cursor", EXTERNAL_ID),
    sa.Column("cursor_us", INSTANT),
    sa.Column("full_us", INSTANT),
    sa.Column("runs", sa.Text, nullable=False),
    sa.Column("account", ACCOUNT),
    sa.Column("walk", sa.Text),
    sa.Column("asked", sa.String(16)),
    sa.Column("drift", sa.Text),
    sa.Column("drift_us", INSTANT),
    sa.Column("drift_due", sa.Boolean),
)

# How many keys of an act are used up: a provider repeats what it first answered to one, its own failures too.
attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("provider", PROVIDER, primary_key=True),
    sa.Column("act", EXTERNAL_ID, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("changed_us", INSTANT, nullable=False),
)

# What is given once, and the subscription that has it: a trial of a plan, a plan that costs nothing.
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("plan_id", ID, primary_key=True),
    sa.Column("scope_kind", sa.String(16), primary_key=True),
    sa.Column("scope_id", SCOPE_ID, primary_key=True),
    sa.Column("subscription_id", ID, sa.ForeignKey("subscriptions.id"), nullable=False),
    sa.Column("taken_us", INSTANT, nullable=False),
    sa.CheckConstraint(among("kind", "trial", "free"), name="kind"),
)

sales_metadata = metadata
"""All tables: those of ``tables`` and these."""
