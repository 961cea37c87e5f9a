"""The audit log tells how it was known who somebody is, and with which API key."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of older entries nobody knows."""
    op.add_column("audit", sa.Column("actor_via", sa.String(16)))
    op.add_column("audit", sa.Column("actor_key", sa.String(64)))
