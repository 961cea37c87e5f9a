"""Who a scope is at a payment provider."""

import sqlalchemy as sa

from gateway.core.scope import Scope
from gateway.store.mandate import Mandate
from gateway.store.sales_tables import customers
from gateway.store.store import Store


async def find(store: Store, provider: str, scope: Scope) -> str | None:
    """The provider's customer that this scope is, if it ever was one."""
    query = sa.select(customers.c.external_id).where(
        customers.c.provider == provider, customers.c.scope_kind == scope.kind, customers.c.scope_id == scope.id
    )
    async with store.read() as connection:
        found: str | None = (await connection.execute(query)).scalar()
        return found


async def put(store: Store, provider: str, scope: Scope, external_id: str, by: Mandate) -> None:
    """From now on the scope is this customer."""
    own = (customers.c.provider == provider, customers.c.scope_kind == scope.kind, customers.c.scope_id == scope.id)
    async with store.write(by) as act:
        await act.connection.execute(sa.delete(customers).where(*own))
        row = {
            "provider": provider,
            "scope_kind": scope.kind,
            "scope_id": scope.id,
            "external_id": external_id,
            "created_us": by.now_us,
        }
        await act.connection.execute(sa.insert(customers), row)
