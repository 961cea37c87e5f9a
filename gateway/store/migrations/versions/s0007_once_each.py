"""Who has taken what is given once: trials, and plans that cost nothing. And whose calendar a purchase goes on with."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns; who had a trial before is found by what they have bought."""
    op.create_table(
        "claims",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("plan_id", sa.String(36), nullable=False),
        sa.Column("scope_kind", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.String(255), nullable=False),
        sa.Column("subscription_id", sa.String(36), nullable=False),
        sa.Column("taken_us", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscriptions.id"], name="fk_claims_subscription_id"),
        sa.PrimaryKeyConstraint("kind", "plan_id", "scope_kind", "scope_id", name="pk_claims"),
        sa.CheckConstraint("kind IN ('trial', 'free')", name="ck_claims_kind"),
    )
    op.add_column("checkouts", sa.Column("trial_days", sa.Integer))
    op.add_column("subscriptions", sa.Column("anchor_us", sa.BigInteger))
