"""What was let through while its budget could not be asked, as it is remembered until it is debited.

In the journal it is a record that says who would have been asked, with the limits of that moment: so a gateway that
starts again debits what its predecessor let through, from whoever would have paid then.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.allowance import Allowance, Purse
from gateway.core.bucket import Limit
from gateway.core.cascade import Bill, Costs
from gateway.core.limit_text import key_from, key_text
from gateway.core.problems import StoreUnavailable
from gateway.core.scope import Scope
from gateway.journal.record import Kind, Rare, Record
from gateway.metering.catalog import Catalog

Unknown = dict[Scope, StoreUnavailable]
"""Scopes of which it could not be found out what they have, and why."""


@dataclass(frozen=True, slots=True)
class Debt:
    """One request. ``allowances``: who is asked, in this order; ``None``: these ``scopes``, whatever they had then.

    ``fallback``: the user's fallback budget is asked last. ``doubt``: what the ledger must find out first.
    ``catalog``: knows what the scopes have.
    """

    id: str
    at_us: int
    rule: str
    costs: Costs
    user: str | None
    workspace: str | None
    scopes: tuple[Scope, ...]
    allowances: tuple[Allowance, ...] | None
    catalog: Catalog
    fallback: bool = False
    doubt: str = ""

    @property
    def record(self) -> Record:
        """It as the journal keeps it, under whoever is asked first."""
        first = self.allowances[0].scope if self.allowances else next(iter(self.scopes), None)
        asked = None if self.allowances is None else [_row(each) for each in self.allowances]
        owner = json.dumps([self.scopes, asked, self.fallback, self.doubt], separators=(",", ":"))
        return Record(
            Kind.OWED,
            self.id,
            self.at_us,
            self.rule,
            first,
            self.costs,
            user=self.user,
            workspace=self.workspace,
            outcome="owed",
            rare=Rare(owner=owner),
        )

    async def bill(self, unknown: Unknown) -> Bill:
        """What is to be paid and who is asked. Raises ``StoreUnavailable``; ``unknown`` learns why."""
        if self.allowances is not None:
            return Bill(self.id, self.costs, self.allowances)
        found = [await self._find(scope, unknown) for scope in self.scopes]
        if self.fallback and self.user is not None:
            found.append(self.catalog.fallback_of(Scope("user", self.user), self.at_us))
        return Bill(self.id, self.costs, tuple(each for each in found if each is not None))

    async def _find(self, scope: Scope, unknown: Unknown) -> Allowance | None:
        if scope in unknown:
            raise unknown[scope]
        try:
            return await self.catalog.find(scope, self.at_us)
        except StoreUnavailable as error:
            unknown[scope] = error
            raise


def debt_from(record: Record, catalog: Catalog) -> Debt:
    """The inverse of ``Debt.record``. Raises ``ValueError``."""
    scopes, asked, fallback, doubt = json.loads(record.owner or "")
    return Debt(
        record.id,
        record.at_us,
        record.rule,
        record.costs,
        record.user,
        record.workspace,
        tuple(Scope(*scope) for scope in scopes),
        None if asked is None else tuple(_allowance(row) for row in asked),
        catalog,
        fallback=fallback,
        doubt=doubt,
    )


def _row(allowance: Allowance) -> Mapping[str, Any]:
    return {
        "scope": allowance.scope,
        "purses": [_purse_row(purse) for purse in allowance.purses],
        "unlimited": sorted(allowance.unlimited),
        "fallback": allowance.fallback,
    }


def _purse_row(purse: Purse) -> Sequence[Any]:
    limits = [(key_text(limit.key), limit.amount, limit.burst) for limit in purse.limits]
    return [limits, purse.grants, purse.plan, purse.ends_us, purse.rank]


def _allowance(row: Mapping[str, Any]) -> Allowance:
    purses = [
        Purse(tuple(Limit(key_from(text), amount, burst) for text, amount, burst in limits), tuple(grants), *rest)
        for limits, grants, *rest in row["purses"]
    ]
    return Allowance(Scope(*row["scope"]), tuple(purses), frozenset(row["unlimited"]), fallback=row["fallback"])
