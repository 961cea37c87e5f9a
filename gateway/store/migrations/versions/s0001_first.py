"""The first tables: plans with versions and prices, subscriptions, weights, API keys, audit log, directory."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _plans()
    _plan_versions()
    _plan_limits()
    _plan_prices()
    _subscriptions()
    _endpoint_weights()
    _api_keys()
    _audit()
    _catalog()
    _directory()
    op.execute("INSERT INTO catalog (id, revision, changed_us) VALUES (1, 0, 0)")


def _edited() -> tuple[sa.Column[int], sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
    )


def _plans() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("is_custom", sa.Boolean, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        *_edited(),
        sa.CheckConstraint("slug <> ''", name="ck_plans_slug"),
        sa.CheckConstraint("active OR NOT is_default", name="ck_plans_default_is_active"),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
        sa.UniqueConstraint("slug", name="uq_plans_slug"),
    )

    op.create_index(
        "uq_plans_default",
        "plans",
        ["is_default"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )


def _plan_versions() -> None:
    op.create_table(
        "plan_versions",
        sa.Column("plan_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("in_force", sa.Integer, nullable=False),
        sa.Column("unlimited", sa.Boolean, nullable=False),
        sa.Column("pack", sa.Boolean, nullable=False),
        sa.Column("burn_rank", sa.Integer),
        sa.Column("duration_days", sa.Integer, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("NOT (unlimited AND pack)", name="ck_plan_versions_kind"),
        sa.CheckConstraint("duration_days BETWEEN 1 AND 36600", name="ck_plan_versions_duration"),
        sa.CheckConstraint("version >= 1 AND in_force >= version", name="ck_plan_versions_version"),
        sa.ForeignKeyConstraint(
            ["plan_id", "in_force"],
            ["plan_versions.plan_id", "plan_versions.version"],
            name="fk_plan_versions_plan_id_in_force",
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_plan_versions_plan_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("plan_id", "version", name="pk_plan_versions"),
    )


def _plan_limits() -> None:
    op.create_table(
        "plan_limits",
        sa.Column("plan_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("meter", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("window_us", sa.BigInteger, nullable=False),
        sa.Column("refill", sa.String(16), nullable=False),
        sa.Column("anchor", sa.String(16)),
        sa.Column("time_zone", sa.String(64)),
        sa.Column("burst", sa.BigInteger, nullable=False),
        sa.CheckConstraint(
            "(time_zone IS NOT NULL) = (anchor IS NOT NULL AND anchor IN ('day', 'month'))",
            name="ck_plan_limits_time_zone",
        ),
        sa.CheckConstraint(
            "anchor IS NULL OR (anchor IN ('epoch', 'subscription', 'day', 'month') AND refill = 'interval')",
            name="ck_plan_limits_anchor",
        ),
        sa.CheckConstraint(
            "burst = 0 OR (burst BETWEEN 1 AND 1000000000000000 AND refill = 'continuous')", name="ck_plan_limits_burst"
        ),
        sa.CheckConstraint("refill IN ('interval', 'continuous', 'never')", name="ck_plan_limits_refill"),
        sa.CheckConstraint("window_us > 0 OR (window_us = 0 AND refill = 'never')", name="ck_plan_limits_window"),
        sa.CheckConstraint("amount BETWEEN -1 AND 1000000000000000", name="ck_plan_limits_amount"),
        sa.ForeignKeyConstraint(
            ["plan_id", "version"],
            ["plan_versions.plan_id", "plan_versions.version"],
            name="fk_plan_limits_plan_id_version",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("plan_id", "version", "position", name="pk_plan_limits"),
    )


def _plan_prices() -> None:
    op.create_table(
        "plan_prices",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("plan_id", sa.String(36), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        *_edited(),
        sa.CheckConstraint("amount BETWEEN 0 AND 1000000000000000", name="ck_plan_prices_amount"),
        sa.CheckConstraint("length(currency) = 3 AND currency = lower(currency)", name="ck_plan_prices_currency"),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_plan_prices_plan_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_plan_prices"),
        sa.UniqueConstraint("plan_id", "currency", name="uq_plan_prices_plan_id_currency"),
    )

    op.create_index(
        "uq_plan_prices_default",
        "plan_prices",
        ["plan_id"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )


def _subscriptions() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("plan_id", sa.String(36)),
        sa.Column("plan_version", sa.Integer),
        sa.Column("file_plan", sa.String(64)),
        sa.Column("scope_kind", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("starts_us", sa.BigInteger, nullable=False),
        sa.Column("ends_us", sa.BigInteger),
        sa.Column("cancelled_us", sa.BigInteger),
        sa.Column("throughput_override", sa.BigInteger),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("checkout_id", sa.String(255)),
        sa.Column("external_id", sa.String(255)),
        sa.Column("period_end_us", sa.BigInteger),
        sa.Column("cancel_at_period_end", sa.Boolean, nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        *_edited(),
        sa.CheckConstraint("(status = 'cancelled') = (cancelled_us IS NOT NULL)", name="ck_subscriptions_cancelled"),
        sa.CheckConstraint("mode = 'subscription' OR NOT cancel_at_period_end", name="ck_subscriptions_renewal"),
        sa.CheckConstraint("mode IN ('payment', 'subscription')", name="ck_subscriptions_mode"),
        sa.CheckConstraint("scope_id <> ''", name="ck_subscriptions_scope_id"),
        sa.CheckConstraint(
            "scope_kind <> 'user' OR (user_id IS NOT NULL AND user_id = scope_id)", name="ck_subscriptions_user"
        ),
        sa.CheckConstraint("scope_kind IN ('workspace', 'user', 'address')", name="ck_subscriptions_scope_kind"),
        sa.CheckConstraint(
            "status IN ('pending', 'trialing', 'active', 'past_due', 'unpaid', 'paused', 'cancelled')",
            name="ck_subscriptions_status",
        ),
        sa.CheckConstraint(
            "(plan_id IS NOT NULL AND plan_version IS NOT NULL AND file_plan IS NULL)"
            " OR (plan_id IS NULL AND plan_version IS NULL AND file_plan IS NOT NULL)",
            name="ck_subscriptions_plan",
        ),
        sa.CheckConstraint("ends_us IS NULL OR ends_us > starts_us", name="ck_subscriptions_period"),
        sa.CheckConstraint(
            "throughput_override IS NULL OR throughput_override BETWEEN -1 AND 1000000000000000",
            name="ck_subscriptions_override",
        ),
        sa.ForeignKeyConstraint(
            ["plan_id", "plan_version"],
            ["plan_versions.plan_id", "plan_versions.version"],
            name="fk_subscriptions_plan_id_plan_version",
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_subscriptions_plan_id"),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("idempotency_key", name="uq_subscriptions_idempotency_key"),
        sa.UniqueConstraint("provider", "checkout_id", name="uq_subscriptions_provider_checkout_id"),
        sa.UniqueConstraint("provider", "external_id", name="uq_subscriptions_provider_external_id"),
    )

    op.create_index("ix_subscriptions_created_us", "subscriptions", ["created_us", "id"])
    op.create_index("ix_subscriptions_ends_us", "subscriptions", ["ends_us"])
    op.create_index("ix_subscriptions_file_plan", "subscriptions", ["file_plan"])
    op.create_index("ix_subscriptions_plan_id", "subscriptions", ["plan_id"])
    op.create_index("ix_subscriptions_scope", "subscriptions", ["scope_id", "scope_kind"])
    op.create_index("ix_subscriptions_user_id", "subscriptions", ["user_id"])


def _endpoint_weights() -> None:
    op.create_table(
        "endpoint_weights",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("pattern", sa.String(1024), nullable=False),
        sa.Column("weight", sa.BigInteger, nullable=False),
        sa.Column("description", sa.Text),
        *_edited(),
        sa.CheckConstraint("method <> '' AND method = upper(method)", name="ck_endpoint_weights_method"),
        sa.CheckConstraint("weight BETWEEN 0 AND 1000000000000", name="ck_endpoint_weights_weight"),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint_weights"),
        sa.UniqueConstraint("method", "pattern", name="uq_endpoint_weights_method_pattern"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("workspace_id", sa.String(255)),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("revoked_us", sa.BigInteger),
        sa.Column("replaced_by", sa.String(64)),
        *_edited(),
        sa.CheckConstraint("length(sha256) = 64 AND sha256 = lower(sha256)", name="ck_api_keys_sha256"),
        sa.CheckConstraint("user_id IS NOT NULL OR workspace_id IS NOT NULL", name="ck_api_keys_somebody"),
        sa.ForeignKeyConstraint(["replaced_by"], ["api_keys.id"], name="fk_api_keys_replaced_by"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )

    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_index("ix_api_keys_workspace_id", "api_keys", ["workspace_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.String(255)),
        sa.Column("address", sa.String(64)),
        sa.Column("request_id", sa.String(64)),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("topic", sa.String(32), nullable=False),
        sa.Column("object_id", sa.String(255), nullable=False),
        sa.Column("scope_kind", sa.String(16)),
        sa.Column("scope_id", sa.String(255)),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.CheckConstraint("(scope_kind IS NULL) = (scope_id IS NULL)", name="ck_audit_scope"),
        sa.CheckConstraint("before IS NOT NULL OR after IS NOT NULL", name="ck_audit_something"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )

    op.create_index("ix_audit_object", "audit", ["object_id", "id"])
    op.create_index("ix_audit_revision", "audit", ["revision"])
    op.create_index("ix_audit_scope", "audit", ["scope_id", "id"])


def _catalog() -> None:
    op.create_table(
        "catalog",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_catalog_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_catalog"),
    )


def _directory() -> None:
    op.create_table(
        "directory",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("first_seen_us", sa.BigInteger, nullable=False),
        sa.Column("last_seen_us", sa.BigInteger, nullable=False),
        sa.CheckConstraint("kind IN ('user', 'workspace')", name="ck_directory_kind"),
        sa.CheckConstraint("last_seen_us >= first_seen_us", name="ck_directory_seen"),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_directory"),
    )

    op.create_index("ix_directory_last_seen_us", "directory", ["last_seen_us"])
