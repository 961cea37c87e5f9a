"""Who is asked to pay for a visit, and what it owes if it has passed without."""

from gateway.core.cascade import Bill
from gateway.core.principal import Principal
from gateway.core.rules import Rule
from gateway.metering.debts import Debt
from gateway.metering.visit import Visit


def claims(visit: Visit) -> bool:
    """Whether somebody is asked to pay whom only the request names: then the charge waits for the upstream's 2xx.

    Debited before, anybody could drain somebody else; decisions/0006.
    """
    principal, rule = visit.principal, visit.rule
    if principal.verified or rule.charge == "before":
        return False
    return any(not principal.proves(kind) and principal.scope(kind) is not None for kind in kinds_of(visit))


def bill_for(visit: Visit) -> Bill | None:
    """What a visit costs and who is asked, in order. ``None``: nobody can be asked (anonymous, or a public rule).

    The client's own address is always known. Who is not is asked only by rules that charge on success.
    Raises ``Unresolved`` if what one of them has bought is not in memory.
    """
    rule, principal, snapshot = visit.rule, visit.principal, visit.snapshot
    if principal.verified:
        asked = snapshot.catalog.asked(principal, kinds_of(visit), visit.at_us, fallback=rule.fallback)
        return Bill(visit.id, rule.costs, asked)
    kinds = tuple(kind for kind in kinds_of(visit) if _may_be_asked(rule, principal, kind))
    if not kinds:
        return None
    return Bill(visit.id, rule.costs, snapshot.catalog.asked(principal, kinds, visit.at_us, fallback=rule.fallback))


def debt_of(visit: Visit, bill: Bill | None, doubt: str) -> Debt:
    """What a visit owes that passes now."""
    rule, principal = visit.rule, visit.principal
    kinds = [kind for kind in kinds_of(visit) if principal.verified or _may_be_asked(rule, principal, kind)]
    scopes = [scope for kind in kinds if (scope := principal.scope(kind)) is not None]
    return Debt(
        visit.id,
        visit.at_us,
        rule.name,
        rule.costs,
        principal.user,
        principal.workspace,
        tuple(scopes),
        None if bill is None else bill.allowances,
        visit.snapshot.catalog,
        fallback=rule.fallback,
        doubt=doubt,
    )


def kinds_of(visit: Visit) -> tuple[str, ...]:
    """The kinds of scope that its rule asks, in order."""
    pays = visit.rule.pays
    return visit.snapshot.cascade if pays is None else pays


def _may_be_asked(rule: Rule, principal: Principal, kind: str) -> bool:
    return (principal.proves(kind) or rule.charge == "on_success") and principal.scope(kind) is not None
