"""Keys that are used up, whose account sold what, where a full sync stands, and what a provider's catalog lacks."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the columns; of older sales nobody knows whose account it was."""
    op.create_table(
        "attempts",
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("act", sa.String(255), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("provider", "act", name=op.f("pk_attempts")),
    )
    op.add_column("syncs", sa.Column("account", sa.String(96)))
    op.add_column("syncs", sa.Column("walk", sa.Text))
    op.add_column("syncs", sa.Column("asked", sa.String(16)))
    op.add_column("syncs", sa.Column("drift", sa.Text))
    op.add_column("syncs", sa.Column("drift_us", sa.BigInteger))
    op.add_column("syncs", sa.Column("drift_due", sa.Boolean))
    op.add_column("orders", sa.Column("account", sa.String(96)))
    op.add_column("orders", sa.Column("surplus", sa.Text))
