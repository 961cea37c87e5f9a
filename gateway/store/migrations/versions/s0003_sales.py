"""What is sold through a payment provider: customers, orders and their pages, its signals, payments, the sync."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _customers()
    _orders()
    _checkouts()
    _signals()
    _payments()
    _syncs()


def _customers() -> None:
    op.create_table(
        "customers",
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("scope_kind", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.String(255), nullable=False),
        sa.Column("external_id", sa.String(255), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("provider", "scope_kind", "scope_id", name="pk_customers"),
        sa.UniqueConstraint("provider", "external_id", name="uq_customers_provider_external_id"),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("subscription_id", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("due_us", sa.BigInteger),
        sa.Column("reads", sa.BigInteger, nullable=False),
        sa.Column("read_us", sa.BigInteger),
        sa.Column("problem", sa.Text),
        sa.CheckConstraint("amount BETWEEN 0 AND 1000000000000000", name="ck_orders_amount"),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_orders_subscription_id"),
        sa.PrimaryKeyConstraint("subscription_id", name="pk_orders"),
    )
    op.create_index("ix_orders_due_us", "orders", ["due_us"])


def _checkouts() -> None:
    op.create_table(
        "checkouts",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("subscription_id", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("external_id", sa.String(255)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("success_url", sa.Text, nullable=False),
        sa.Column("cancel_url", sa.Text, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "state IN ('opening', 'open', 'processing', 'paid', 'failed', 'expired')", name="ck_checkouts_state"
        ),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_checkouts_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_checkouts"),
        sa.UniqueConstraint("provider", "external_id", name="uq_checkouts_provider_external_id"),
    )
    op.create_index("ix_checkouts_subscription_id", "checkouts", ["subscription_id"])


def _signals() -> None:
    op.create_table(
        "signals",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(128), nullable=False),
        sa.Column("subject", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("subscription_id", sa.String(36)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_us", sa.BigInteger),
        sa.Column("problem", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("happened_us", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("state IN ('received', 'done', 'ignored', 'failed')", name="ck_signals_state"),
        sa.PrimaryKeyConstraint("id", name="pk_signals"),
        sa.UniqueConstraint("provider", "key", name="uq_signals_provider_key"),
    )
    op.create_index("ix_signals_next_us", "signals", ["next_us"])
    op.create_index("ix_signals_created_us", "signals", ["created_us", "id"])


def _payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("external_id", sa.String(255), nullable=False),
        sa.Column("subscription_id", sa.String(36), nullable=False),
        sa.Column("plan_slug", sa.String(64), nullable=False),
        sa.Column("scope_kind", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("dispute", sa.String(16), nullable=False),
        sa.Column("method", sa.String(64)),
        sa.Column("description", sa.Text),
        sa.Column("receipt_url", sa.Text),
        sa.Column("pay_url", sa.Text),
        sa.Column("period_start_us", sa.BigInteger),
        sa.Column("period_end_us", sa.BigInteger),
        sa.Column("paid_us", sa.BigInteger),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("state IN ('open', 'processing', 'paid', 'void')", name="ck_payments_state"),
        sa.CheckConstraint("dispute IN ('none', 'open', 'won', 'lost')", name="ck_payments_dispute"),
        sa.CheckConstraint(
            "amount BETWEEN 0 AND 1000000000000000 AND refunded BETWEEN 0 AND 1000000000000000",
            name="ck_payments_amount",
        ),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_payments_subscription_id"),
        sa.PrimaryKeyConstraint("id", name="pk_payments"),
        sa.UniqueConstraint("provider", "external_id", name="uq_payments_provider_external_id"),
    )
    op.create_index("ix_payments_subscription_id", "payments", ["subscription_id"])
    op.create_index("ix_payments_paid_us", "payments", ["paid_us"])
    op.create_index("ix_payments_scope", "payments", ["scope_id", "scope_kind", "created_us"])


def _syncs() -> None:
    op.create_table(
        "syncs",
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("cursor", sa.String(255)),
        sa.Column("cursor_us", sa.BigInteger),
        sa.Column("full_us", sa.BigInteger),
        sa.Column("runs", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("provider", name="pk_syncs"),
    )
