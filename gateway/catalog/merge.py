"""The configuration's plans and rules, and the store's, as one catalog. Where both say something, the store's counts.

decisions/0010 says why, and what an admin's weight takes over from the rule that it replaces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.core.pattern import Kind, PatternError, parse_pattern
from gateway.core.plan import Plan, Subscription
from gateway.core.problems import Unprocessable
from gateway.core.profile import Profile
from gateway.core.rule import Origin, Rule, RuleErrors
from gateway.core.rules import RuleTable
from gateway.core.scope import Scope
from gateway.metering.catalog import Catalog, Holdings
from gateway.store.rows import Stock, WeightRow

_ANYTHING = "\0"
"""Stands for what a pattern leaves open: no literal of a pattern equals it."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What the configuration says. ``silent``: kinds of scopes whose default it leaves to the store.

    ``rules``: compiled, to be matched by itself.
    """

    plans: Mapping[str, Plan]
    defaults: Mapping[str, Plan | None]
    fallback: Plan | None
    subscriptions: Mapping[Scope, tuple[Subscription, ...]]
    rules: RuleTable
    profile: Profile
    own_prefixes: tuple[str, ...] = ()
    silent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Merged:
    """``notes``: sentences about what does not count, for the log and for admins."""

    catalog: Catalog
    rules: RuleTable
    notes: tuple[str, ...] = ()


def merge(configured: Configured, stock: Stock, holdings: Holdings | None) -> Merged:
    """Both as one. The configuration alone is sound, so this never fails: what cannot be used is noted."""
    rules, notes = merged_rules(configured, stock.weights)
    catalog, more = merged_plans(configured, stock, holdings)
    return Merged(catalog, rules, (*more, *notes))


def merged_plans(configured: Configured, stock: Stock, holdings: Holdings | None) -> tuple[Catalog, tuple[str, ...]]:
    """Plans by slug, and what follows from them."""
    plans = {**configured.plans, **stock.plans}
    notes = [
        f"the plan '{slug}' of the configuration does not count: the store has one of this slug"
        for slug in sorted(configured.plans.keys() & stock.plans.keys())
    ]

    def of_slug(plan: Plan | None) -> Plan | None:
        return None if plan is None else plans[plan.slug]

    defaults = {kind: of_slug(plan) for kind, plan in configured.defaults.items()}
    if stock.default is not None:
        if "user" in configured.silent:
            defaults["user"] = plans[stock.default]
        else:
            notes.append(f"the default plan '{stock.default}' of the store does not count: `defaults.user` is set")
    subscriptions = {
        scope: tuple(replace(each, plan=plans[each.plan.slug]) for each in held)
        for scope, held in configured.subscriptions.items()
    }
    catalog = Catalog(plans, defaults, of_slug(configured.fallback), subscriptions, holdings)
    return catalog, tuple(notes)


def merged_rules(configured: Configured, weights: Sequence[WeightRow]) -> tuple[RuleTable, tuple[str, ...]]:
    """The rules with the admins' weights; weights that cannot be used are left out and noted."""
    notes: list[str] = []
    if not weights:
        return configured.rules, ()
    rules = []
    for weight in weights:
        try:
            rules.append(rule_of(configured, weight))
        except PatternError as error:
            notes.append(f"the weight {weight.method} {weight.pattern} does not count: {error}")
    while True:
        try:
            table = _compiled(configured, rules)
        except RuleErrors as errors:
            wrong = {id(error.rule) for error in errors.errors if error.origin.kind == "admin"}
            if not wrong:  # the configuration's own rules were compiled without them
                raise
            notes += [f"a weight does not count: {error}" for error in errors.errors if id(error.rule) in wrong]
            rules = [rule for rule in rules if id(rule) not in wrong]
        else:
            break
    notes += [f"{shadowed.rule.label} never counts: an admin's weight hides it" for shadowed in table.shadowed]
    notes += [
        f"the weight {rule.name} does nothing: what it matches is public, so nobody pays"
        for rule in rules
        if rule.public and rule.weight and not rule.pays
    ]
    return table, tuple(notes)


def check_weights(configured: Configured, weights: Sequence[WeightRow]) -> None:
    """Raises ``Unprocessable`` naming each weight that could not be used."""
    wrong: dict[str, str] = {}
    rules = []
    for weight in weights:
        try:
            rules.append(rule_of(configured, weight))
        except PatternError as error:
            wrong[weight.id] = str(error)
    try:
        _compiled(configured, rules)
    except RuleErrors as errors:
        wrong |= {error.origin.where: error.message for error in errors.errors}
    if wrong:
        raise Unprocessable(f"This cannot be weighed: {'; '.join(wrong.values())}", content={"weights": wrong})


def rule_of(configured: Configured, weight: WeightRow) -> Rule:
    """An admin's weight as a rule: the rule of the configuration that its pattern meets, at another weight.

    So a weight changes what a request costs, and neither who pays nor whether it is public. Raises ``PatternError``.
    """
    pattern = parse_pattern(weight.pattern, configured.profile, configured.own_prefixes)
    path = tuple(text if kind is Kind.LITERAL else _ANYTHING for kind, text in pattern.segments)
    met = configured.rules.match(weight.method, path).rule
    origin = Origin("admin", weight.id)
    return replace(met, method=weight.method, pattern=weight.pattern, weight=weight.weight, origin=origin)


def _compiled(configured: Configured, admins: Sequence[Rule]) -> RuleTable:
    rules = [*configured.rules.rules, *admins]
    return RuleTable.compile(rules, configured.profile, own_prefixes=configured.own_prefixes)
