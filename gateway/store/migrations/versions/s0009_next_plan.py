"""Which plan a subscription is to from its next period on, where that was agreed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing was agreed before."""
    op.add_column("subscriptions", sa.Column("next_plan_id", sa.String(36)))
