"""Builders and strategies for budgets: small numbers, so that Hypothesis meets their edges."""

from collections.abc import Mapping

from hypothesis import strategies as st

from gateway.core.allowance import THROUGHPUT, Allowance, Plan, PlanLimit, Subscription, resolve
from gateway.core.bucket import Anchor, Bucket, Epoch, Limit, LimitKey, Refill, Since
from gateway.core.cascade import Bill, Charge, Posting, Refusal, charge
from gateway.core.scope import Scope

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 1_700_000_000 * SECOND
EPOCH = Epoch()
USER = Scope("user", "u1")
WORKSPACE = Scope("workspace", "w1")

Store = dict[Scope, dict[LimitKey, Bucket]]


def limit(
    amount: int,
    window_us: int = HOUR,
    refill: Refill = Refill.INTERVAL,
    *,
    anchor: Anchor = EPOCH,
    burst: int | None = None,
    purse: str = "",
) -> Limit:
    key = LimitKey(THROUGHPUT, 0 if refill is Refill.NEVER else window_us, refill, anchor, purse)
    return Limit(key, amount, amount if burst is None else burst)


def plan(*limits: PlanLimit, slug: str = "free", pack: bool = False, unlimited: bool = False) -> Plan:
    return Plan(slug, slug.title(), limits, pack=pack, unlimited=unlimited)


def per(
    amount: int, window_us: int = HOUR, refill: Refill = Refill.INTERVAL, *, burst: int = 0, meter: str = THROUGHPUT
) -> PlanLimit:
    return PlanLimit(meter, amount, window_us, refill, burst=burst)


def subscription(
    id_: str, sold: Plan, *, scope: Scope = USER, starts_us: int = 0, ends_us: int | None = None
) -> Subscription:
    return Subscription(id_, sold, scope, starts_us, ends_us)


def allowance_of(*subscriptions: Subscription, now_us: int = NOW, default: Plan | None = None) -> Allowance:
    found = resolve(subscriptions[0].scope if subscriptions else USER, subscriptions, default, now_us)
    assert found is not None
    return found


def default_of(sold: Plan, scope: Scope = USER) -> Allowance:
    found = resolve(scope, (), sold, NOW)
    assert found is not None
    return found


def bill(cost: int | Mapping[str, int], *allowances: Allowance, id_: str = "bill") -> Bill:
    costs = {THROUGHPUT: cost} if isinstance(cost, int) else cost
    return Bill(id_, costs, allowances)


class Shop:
    """A store of buckets with the core's decisions applied to it; what a ledger is without its surroundings."""

    def __init__(self) -> None:
        self.store: Store = {}

    def buckets_of(self, scope: Scope) -> Mapping[LimitKey, Bucket]:
        return self.store.get(scope, {})

    def keep(self, postings: tuple[Posting, ...], dropped: tuple[LimitKey, ...] = ()) -> None:
        for posting in postings:
            self.store.setdefault(posting.scope, {})[posting.limit] = posting.after
            for key in dropped:
                self.store[posting.scope].pop(key, None)

    def pay(self, cost: int | Mapping[str, int], *allowances: Allowance, now_us: int = NOW) -> Charge | Refusal:
        outcome = charge(bill(cost, *allowances), self.buckets_of, now_us)
        if isinstance(outcome, Charge):
            self.keep(outcome.postings, outcome.dropped)
        return outcome

    def paid(self, cost: int | Mapping[str, int], *allowances: Allowance, now_us: int = NOW) -> Charge:
        outcome = self.pay(cost, *allowances, now_us=now_us)
        assert isinstance(outcome, Charge)
        return outcome

    def refused(self, cost: int | Mapping[str, int], *allowances: Allowance, now_us: int = NOW) -> Refusal:
        outcome = self.pay(cost, *allowances, now_us=now_us)
        assert isinstance(outcome, Refusal)
        return outcome

    def left(self, allowance: Allowance, now_us: int = NOW) -> list[int]:
        free = charge(bill(0, allowance), self.buckets_of, now_us)
        assert isinstance(free, Charge)
        return [standing.left for standing in free.standings]


windows = st.sampled_from([1, 2, 7, 10, 60, 97])
instants = st.integers(0, 400)
_ANCHORS: list[Anchor] = [EPOCH, Since(3), Since(250)]
anchors = st.sampled_from(_ANCHORS)
refills = st.sampled_from([Refill.INTERVAL, Refill.CONTINUOUS])


@st.composite
def limits(draw: st.DrawFn, *, packs: bool = True) -> Limit:
    """A limit with small numbers; continuous ones with a burst of their own."""
    by = draw(st.sampled_from(list(Refill))) if packs else draw(refills)
    amount = draw(st.integers(1, 12))
    anchor = draw(anchors) if by is Refill.INTERVAL else EPOCH
    burst = draw(st.integers(1, 15)) if by is Refill.CONTINUOUS else amount
    return limit(amount, draw(windows), by, anchor=anchor, burst=burst)


@st.composite
def plan_limits(draw: st.DrawFn, meters: tuple[str, ...] = (THROUGHPUT,)) -> PlanLimit:
    anchor = draw(st.sampled_from([None, "subscription"]))
    return PlanLimit(
        draw(st.sampled_from(meters)),
        draw(st.integers(1, 12)),
        draw(windows),
        draw(refills),
        anchor,
        draw(st.integers(0, 15)),
    )


@st.composite
def plans(draw: st.DrawFn, meters: tuple[str, ...] = (THROUGHPUT,), *, packs: bool = True) -> Plan:
    written = draw(st.lists(plan_limits(meters), min_size=1, max_size=3))
    packed = packs and draw(st.sampled_from([False, False, True]))
    return Plan(f"p{len(written)}", "P", tuple(written), pack=packed)


@st.composite
def subscriptions(draw: st.DrawFn, meters: tuple[str, ...] = (THROUGHPUT,)) -> tuple[Subscription, ...]:
    count = draw(st.integers(1, 3))
    made = []
    for number in range(count):
        starts = draw(st.integers(0, 150))
        ends = draw(st.one_of(st.none(), st.integers(starts + 1, 400)))
        made.append(Subscription(f"s{number}", draw(plans(meters)), USER, starts, ends))
    return tuple(made)
