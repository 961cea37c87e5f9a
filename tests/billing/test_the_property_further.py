"""The other half of the histories, and whether the judge notices what is broken.

``judge`` says what was paid for, by the objects of the fake Stripe; it shares no line with what is tested.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple

import pytest

from gateway.billing import reading
from gateway.core import paid, reconcile
from gateway.payments.stripe import convert, endings, phases
from tests.billing.fair import Fair, fair
from tests.billing.histories import Step
from tests.billing.played import CHANGED, CHEAPER, DEARER, EARLY, MAX, PARTS, TRIED, WEEK, WORKED, play, played

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stand(migrated_file: Path) -> Iterator[Fair]:
    with fair(migrated_file) as found:
        yield found


@pytest.mark.parametrize("part", range(PARTS // 2, PARTS))
def test_after_the_sync_what_is_granted_is_what_was_paid_for(stand: Fair, part: int) -> None:
    play(stand, part)


REFUNDED, PAST_DUE = (
    [("renewing", MAX, 0), ("refund", 0, 0)],
    [("renewing", MAX, 0), ("card", 0, 0), ("wait", 8, 0), ("wait", 2, 0)],
)


HEARD_LATE, LOST = (
    [("buy", WEEK, 0), ("lose", 0, 0), ("wait", 3, 0), ("sync", 0, 0), ("wait", 3, 0), ("wait", 2, 0)],
    [("buy", MAX, 0), ("dispute", 0, 5), ("decide", 0, 5)],
)


ENDED = "Word(Event.END, at_us if agreement.ended_us is None else agreement.ended_us)"


class Line(NamedTuple):
    """A line of ours, what it is broken to, and a history that then goes wrong."""

    module: ModuleType
    name: str
    line: str
    by: str
    steps: list[Step]


LINES = [
    Line(reconcile, "_renewed", "paid.until_us, paid.kept", "paid.until_us, bool(paid.behind)", REFUNDED),
    Line(paid, "_grounds", 'return named or _running(receipt, receipts) or [""]', "return []", EARLY),
    Line(paid, "_behind", "waiting += _grounds(each, receipts)", "waiting += []", [*DEARER, ("refund", 0, 0)]),
    Line(paid, "_behind", "each.state is not PaymentState.PAID", "False", PAST_DUE),
    Line(reconcile, "_renewed", "_payable_beside(picture, agreement)", "False", TRIED),
    Line(reconcile, "_bought_once", "if receipt.kept]", "]", [("buy", MAX, 0), ("refund", 0, 0)]),
    Line(reconcile, "_bought_once", "min(map(_paid_us, kept))", "picture.read_us", HEARD_LATE),
    Line(reconcile, "_of_state", "kept_until_us + terms.grace_us", "kept_until_us + terms.slack_us", PAST_DUE),
    Line(reconcile, "_of_state", f"({ENDED},)", "()", [("renewing", MAX, 0), ("end", 0, 0)]),
    Line(paid, "_until", "agreement.period_end_us in ends_us", "False", CHANGED),
    Line(reading, "_receipts", "if order.payment is not None", "if order.payment is None", [("buy", MAX, 0)]),
    Line(convert, "_of_charges", 'from_stripe(charge["amount_refunded"], charge["currency"])', "0", REFUNDED),
    Line(convert, "_of_charges", '_DISPUTES.get(each["status"], Dispute.NONE)', "Dispute.NONE", LOST),
    Line(endings, "end", "lines.buys(await bills.whole(client, invoice))", "True", WORKED),
    Line(phases, "_whole", 'said.get("discounts") or []', "[]", CHEAPER),
]


@pytest.mark.parametrize("broken", LINES, ids=lambda each: each.name)
def test_a_broken_line_is_found(broken: Line, stand: Fair, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, line, by, steps = broken
    stand.run(played(stand, steps, 0))
    source = inspect.getsource(getattr(module, name))
    assert source.count(line) == 1
    space: dict[str, object] = {}
    exec(compile(source.replace(line, by), name, "exec"), {**vars(module)}, space)  # noqa: S102  (our own line, broken)
    made = space[name]
    assert isinstance(made, FunctionType)
    monkeypatch.setattr(module, name, FunctionType(made.__code__, vars(module), name, made.__defaults__))
    if made.__kwdefaults__:
        getattr(module, name).__kwdefaults__ = made.__kwdefaults__
    with pytest.raises((AssertionError, ExceptionGroup)):
        stand.run(played(stand, steps, 0))
