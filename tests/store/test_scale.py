"""With a hundred thousand subscribers the queries that traffic makes still go by an index."""

import sqlalchemy as sa

from gateway.core.scope import Scope
from gateway.store import plans, subscribed
from gateway.store.audit import Sought
from gateway.store.audit import page as audit_page
from gateway.store.store import Store
from gateway.store.subscribed import held_query
from tests.store.samples import BY, NOW, pro, terms

SUBSCRIBERS = 100_000
FILL = """
    INSERT INTO subscriptions (id, plan_id, plan_version, scope_kind, scope_id, user_id, status, starts_us, provider,
        mode, cancel_at_period_end, revision, created_us, updated_us)
    WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
    SELECT 's' || n, :plan, 1, 'user', 'u' || n, 'u' || n, 'active', 0, 'manual', 'payment', false, 1, n, n FROM numbers
"""


async def explained(store: Store, query: sa.Select[tuple[object]]) -> str:
    """How the database would answer."""
    async with store.read() as connection:
        text = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        rows = (await connection.exec_driver_sql(f"{word} {text}")).all()
    return "\n".join(" ".join(map(str, row)) for row in rows)


async def test_what_one_scope_of_a_hundred_thousand_has_is_one_indexed_query(store: Store) -> None:
    plan = await plans.create(store, pro(), BY)
    async with store.write(BY) as act:
        await act.connection.execute(sa.text(FILL), {"last": SUBSCRIBERS - 1, "plan": plan.id})
        await act.connection.exec_driver_sql("ANALYZE")
    for count in (1, 200):
        scopes = {Scope("user", f"u{number}") for number in range(count)}
        how = await explained(store, held_query(scopes, NOW))
        assert "ix_subscriptions_scope" in how, how
        assert "Seq Scan" not in how
        assert "SCAN subscriptions" not in how
    (held,) = await subscribed.held(store, Scope("user", "u99999"), NOW)
    assert held.id == "s99999"


async def test_an_edit_for_all_holders_touches_no_holder(store: Store) -> None:
    plan = await plans.create(store, pro(), BY)
    async with store.write(BY) as act:
        await act.connection.execute(sa.text(FILL), {"last": 999, "plan": plan.id})
    after = await plans.update(store, plan.id, lambda _: pro(terms=terms(1)), BY)
    assert after.version == 2
    shown = await subscribed.get(store, "s500")
    assert (shown.in_force, shown.revision) == (2, 1)
    assert len(await audit_page(store, Sought())) == 2
