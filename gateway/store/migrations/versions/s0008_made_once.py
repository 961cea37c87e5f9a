"""Which API key a call has made that may be repeated."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; of older keys nobody knows which call made them."""
    op.create_table(
        "api_key_calls",
        sa.Column("call", sa.String(128), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="fk_api_key_calls_key_id"),
        sa.PrimaryKeyConstraint("call", name="pk_api_key_calls"),
    )
