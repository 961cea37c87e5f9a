"""The tables, for SQLite and PostgreSQL alike. Keys, references and checks guard; code only says it more kindly.

Instants are microseconds since 1970, UTC. Money is whole minor units of its currency. Ids that we make are UUIDs.
The steps in ``migrations/versions`` build the same tables; a test compares the two.
"""

import sqlalchemy as sa

MAX_AMOUNT = 10**15
"""No amount of units or money is larger: JSON readers that use doubles still read it exactly."""
MAX_WEIGHT = 10**12

ID = sa.String(36)
SCOPE_ID = sa.String(255)
INSTANT = sa.BigInteger
_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # only INTEGER PRIMARY KEY counts by itself there

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def among(column: str, *values: str) -> str:
    """A check that ``column`` has one of these values."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _edited() -> tuple[sa.Column[int], sa.Column[int], sa.Column[int]]:
    """``revision`` counts the edits of the row: what its ETag says."""
    return (
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_us", INSTANT, nullable=False),
        sa.Column("updated_us", INSTANT, nullable=False),
    )


plans = sa.Table(
    "plans",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("slug", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("is_custom", sa.Boolean, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    *_edited(),
    sa.CheckConstraint("slug <> ''", name="slug"),
    sa.CheckConstraint("active OR NOT is_default", name="default_is_active"),
)
sa.Index("uq_plans_default", plans.c.is_default, unique=True, sqlite_where=plans.c.is_default)

plan_versions = sa.Table(
    "plan_versions",
    metadata,
    sa.Column("plan_id", ID, sa.ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    # Whose terms the holders of this version have: its own, or those of a later edit that was for them as well.
    sa.Column("in_force", sa.Integer, nullable=False),
    sa.Column("unlimited", sa.Boolean, nullable=False),
    sa.Column("pack", sa.Boolean, nullable=False),
    sa.Column("burn_rank", sa.Integer),
    sa.Column("duration_days", sa.Integer, nullable=False),
    sa.Column("created_us", INSTANT, nullable=False),
    sa.ForeignKeyConstraint(["plan_id", "in_force"], ["plan_versions.plan_id", "plan_versions.version"]),
    sa.CheckConstraint("version >= 1 AND in_force >= version", name="version"),
    sa.CheckConstraint("duration_days BETWEEN 1 AND 36600", name="duration"),
    sa.CheckConstraint("NOT (unlimited AND pack)", name="kind"),
)

plan_limits = sa.Table(
    "plan_limits",
    metadata,
    sa.Column("plan_id", ID, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("meter", sa.String(64), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("window_us", sa.BigInteger, nullable=False),
    sa.Column("refill", sa.String(16), nullable=False),
    sa.Column("anchor", sa.String(16)),
    sa.Column("time_zone", sa.String(64)),
    sa.Column("burst", sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(
        ["plan_id", "version"], ["plan_versions.plan_id", "plan_versions.version"], ondelete="CASCADE"
    ),
    sa.CheckConstraint(f"amount BETWEEN -1 AND {MAX_AMOUNT}", name="amount"),
    sa.CheckConstraint(among("refill", "interval", "continuous", "never"), name="refill"),
    sa.CheckConstraint("window_us > 0 OR (window_us = 0 AND refill = 'never')", name="window"),
    sa.CheckConstraint(
        f"anchor IS NULL OR ({among('anchor', 'epoch', 'subscription', 'day', 'month')} AND refill = 'interval')",
        name="anchor",
    ),
    sa.CheckConstraint(
        "(time_zone IS NOT NULL) = (anchor IS NOT NULL AND anchor IN ('day', 'month'))", name="time_zone"
    ),
    sa.CheckConstraint(f"burst = 0 OR (burst BETWEEN 1 AND {MAX_AMOUNT} AND refill = 'continuous')", name="burst"),
)

plan_prices = sa.Table(
    "plan_prices",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("plan_id", ID, sa.ForeignKey("plans.id", ondelete="CASCADE"), nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("is_default", sa.Boolean, nullable=False),
    *_edited(),
    sa.UniqueConstraint("plan_id", "currency"),
    sa.CheckConstraint("length(currency) = 3 AND currency = lower(currency)", name="currency"),
    sa.CheckConstraint(f"amount BETWEEN 0 AND {MAX_AMOUNT}", name="amount"),
)
sa.Index("uq_plan_prices_default", plan_prices.c.plan_id, unique=True, sqlite_where=plan_prices.c.is_default)

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("id", ID, primary_key=True),
    # A plan of the store at the version it was bought, or a plan of the configuration by its slug.
    sa.Column("plan_id", ID, sa.ForeignKey("plans.id"), index=True),
    sa.Column("plan_version", sa.Integer),
    sa.Column("file_plan", sa.String(64), index=True),
    sa.Column("scope_kind", sa.String(16), nullable=False),
    sa.Column("scope_id", SCOPE_ID, nullable=False),
    sa.Column("user_id", SCOPE_ID, index=True),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("starts_us", INSTANT, nullable=False),
    sa.Column("ends_us", INSTANT, index=True),
    sa.Column("cancelled_us", INSTANT),
    sa.Column("throughput_override", sa.BigInteger),
    sa.Column("provider", sa.String(32), nullable=False),
    sa.Column("mode", sa.String(16), nullable=False),
    sa.Column("checkout_id", sa.String(255)),
    sa.Column("external_id", sa.String(255)),
    sa.Column("period_end_us", INSTANT),
    sa.Column("cancel_at_period_end", sa.Boolean, nullable=False),
    sa.Column("idempotency_key", sa.String(255), unique=True),
    *_edited(),
    sa.Column("idempotency_digest", sa.String(64)),
    sa.Column("anchor_us", INSTANT),
    sa.Column("next_plan_id", ID),
    sa.ForeignKeyConstraint(["plan_id", "plan_version"], ["plan_versions.plan_id", "plan_versions.version"]),
    sa.UniqueConstraint("provider", "checkout_id"),
    sa.UniqueConstraint("provider", "external_id"),
    sa.CheckConstraint(
        "(plan_id IS NOT NULL AND plan_version IS NOT NULL AND file_plan IS NULL)"
        " OR (plan_id IS NULL AND plan_version IS NULL AND file_plan IS NOT NULL)",
        name="plan",
    ),
    sa.CheckConstraint(among("scope_kind", "workspace", "user", "address"), name="scope_kind"),
    sa.CheckConstraint("scope_id <> ''", name="scope_id"),
    sa.CheckConstraint("scope_kind <> 'user' OR (user_id IS NOT NULL AND user_id = scope_id)", name="user"),
    sa.CheckConstraint(
        among("status", "pending", "trialing", "active", "past_due", "unpaid", "paused", "cancelled"), name="status"
    ),
    sa.CheckConstraint("(status = 'cancelled') = (cancelled_us IS NOT NULL)", name="cancelled"),
    sa.CheckConstraint("ends_us IS NULL OR ends_us > starts_us", name="period"),
    sa.CheckConstraint(among("mode", "payment", "subscription"), name="mode"),
    sa.CheckConstraint("mode = 'subscription' OR NOT cancel_at_period_end", name="renewal"),
    sa.CheckConstraint(
        f"throughput_override IS NULL OR throughput_override BETWEEN -1 AND {MAX_AMOUNT}", name="override"
    ),
)
sa.Index("ix_subscriptions_scope", subscriptions.c.scope_id, subscriptions.c.scope_kind)
sa.Index("ix_subscriptions_created_us", subscriptions.c.created_us, subscriptions.c.id)

weights = sa.Table(
    "endpoint_weights",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("method", sa.String(16), nullable=False),
    sa.Column("pattern", sa.String(1024), nullable=False),
    sa.Column("weight", sa.BigInteger, nullable=False),
    sa.Column("description", sa.Text),
    *_edited(),
    sa.UniqueConstraint("method", "pattern"),
    sa.CheckConstraint(f"weight BETWEEN 0 AND {MAX_WEIGHT}", name="weight"),
    sa.CheckConstraint("method <> '' AND method = upper(method)", name="method"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("user_id", SCOPE_ID, index=True),
    sa.Column("workspace_id", SCOPE_ID, index=True),
    sa.Column("expires_us", INSTANT),
    sa.Column("revoked_us", INSTANT),
    sa.Column("replaced_by", sa.String(64), sa.ForeignKey("api_keys.id")),
    *_edited(),
    sa.CheckConstraint("user_id IS NOT NULL OR workspace_id IS NOT NULL", name="somebody"),
    sa.CheckConstraint("length(sha256) = 64 AND sha256 = lower(sha256)", name="sha256"),
)

# Which key a call has made that may be repeated. Its secret is not here: it was told once.
api_key_calls = sa.Table(
    "api_key_calls",
    metadata,
    sa.Column("call", sa.String(128), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("key_id", sa.String(64), sa.ForeignKey("api_keys.id"), nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", _SERIAL, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False, index=True),
    sa.Column("at_us", INSTANT, nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("actor_id", SCOPE_ID),
    sa.Column("address", sa.String(64)),
    sa.Column("request_id", sa.String(64)),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("topic", sa.String(32), nullable=False),
    sa.Column("object_id", SCOPE_ID, nullable=False),
    sa.Column("scope_kind", sa.String(16)),
    sa.Column("scope_id", SCOPE_ID),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text),
    sa.Column("actor_via", sa.String(16)),
    sa.Column("actor_key", sa.String(64)),
    sa.CheckConstraint("before IS NOT NULL OR after IS NOT NULL", name="something"),
    sa.CheckConstraint("(scope_kind IS NULL) = (scope_id IS NULL)", name="scope"),
)
sa.Index("ix_audit_object", audit.c.object_id, audit.c.id)
sa.Index("ix_audit_scope", audit.c.scope_id, audit.c.id)

catalog = sa.Table(
    "catalog",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("changed_us", INSTANT, nullable=False),
    sa.CheckConstraint("id = 1", name="one_row"),
)

directory = sa.Table(
    "directory",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("id", SCOPE_ID, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("first_seen_us", INSTANT, nullable=False),
    sa.Column("last_seen_us", INSTANT, nullable=False),
    sa.CheckConstraint(among("kind", "user", "workspace"), name="kind"),
    sa.CheckConstraint("last_seen_us >= first_seen_us", name="seen"),
)
sa.Index("ix_directory_last_seen_us", directory.c.last_seen_us)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(64)),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
)


def for_postgresql() -> None:
    """Tell PostgreSQL as well which rows the partial indexes are of: to say it loads its dialect, 2 MB."""
    for table in (plans, plan_prices):
        for index in table.indexes:
            if index.dialect_options["sqlite"]["where"] is not None:
                index.dialect_kwargs["postgresql_where"] = table.c.is_default
