"""What is said of a till: the lines of an answer that it paid for, and its part of a 429, with places for the numbers.

A refusal by tills alone is said by ``refusal_text``, in wacraft's dialect; ``core/answers`` says all others, and the
same.
"""

from typing import NamedTuple

import orjson

from gateway.core.answers import wacraft_sentence
from gateway.core.cascade import Costs, Refusal, Shortfall, Standing
from gateway.core.rate_limit_fields import SECOND_US, FieldFamilies, seconds_until, shown_kind
from gateway.core.till import Till


class TillText(NamedTuple):
    """``fields``: a template of ``FieldFamilies``. ``payer``: who pays, as JSON. ``budget``: what a 429 says of it.

    ``said``: wacraft's sentence, as JSON. ``kind``: as people are told of it.
    """

    fields: bytes
    payer: bytes
    budget: bytes
    said: bytes
    kind: str


class Said(NamedTuple):
    """What was said of a refusal by tills, with places for the request's id, the date, and the id again.

    The same is to be said of the same ``shortfalls`` for ``costs``, from ``from_us`` until ``until_us``.
    """

    shortfalls: tuple[Shortfall, ...]
    costs: Costs
    from_us: int
    until_us: int
    text: bytes


def text_of(till: Till, families: FieldFamilies) -> TillText:
    """What is said of a till."""
    allowance, limit, kind = till.allowance, till.limit, shown_kind(till.allowance)
    budget = b'{"scope":%b,"id":%b,"fallback":%b,"retry_after":%%b,"limits":[{"plan":%b,"meter":%b,"limit":%d,' % (
        _literal(kind), _literal(allowance.scope.id), b"true" if allowance.fallback else b"false",
        _literal(allowance.purses[0].plan), _literal(till.meter), limit.amount,
    )  # fmt: skip
    budget += b'"window_seconds":%d,"remaining":%%d,"reset":%%d}]}' % (till.window_us // SECOND_US)
    shortfall = Shortfall(allowance, (), Standing(limit, 0, 0, 0), None)
    said = _json(wacraft_sentence(Refusal("", {}, (shortfall,), shortfall, None, 0)))
    payer = _json(f"{kind}:{allowance.scope.id}")
    return TillText(families.template_of(till), payer, budget, said, kind)


def _json(text: str) -> bytes:
    """JSON that is kept: a copy, as what orjson makes holds on to its buffer of 4 KiB."""
    return b"%b" % orjson.dumps(text)


def _literal(text: str) -> bytes:
    """JSON that stays as it is when a template is filled in."""
    return orjson.dumps(text).replace(b"%", b"%%")


def refusal_text(refusal: Refusal, texts: tuple[TillText, ...], request_id: bytes, buy_url: str | None) -> bytes:
    """The body of a 429: ``texts`` are those of the tills that fell short, in their order."""
    now_us, kinds, budgets, first = refusal.at_us, list[str](), list[bytes](), texts[0]
    for shortfall, text in zip(refusal.shortfalls, texts, strict=True):
        ready_us, standing = shortfall.ready_us, shortfall.standings[0]
        wait = b"null" if ready_us is None else b"%d" % seconds_until(ready_us, now_us)
        budgets.append(text.budget % (wait, standing.left, -(-(standing.reset_us or 0) // SECOND_US)))
        kinds.append(text.kind)
        if shortfall is refusal.first:
            first = text
    ((meter, cost),) = refusal.costs.items()
    detail = f"This request costs {cost} {meter}; the {' and '.join(dict.fromkeys(kinds))} budget "
    if refusal.ready_us is None:
        code, more = b"buy", b""
        detail += "can never pay that, however long you wait. Buy more."
    else:
        seconds = seconds_until(refusal.ready_us, now_us)
        code, more = b"wait", b',"retry_after":%d' % seconds
        detail += f"has less left. The {first.kind} budget can pay it in {seconds} s."
    if buy_url is not None:
        more += b',"buy_url":%b' % orjson.dumps(buy_url)
    return _REFUSAL % (
        first.said, first.said, code, request_id, orjson.dumps(meter), cost, b",".join(budgets), more,
        orjson.dumps(detail),
    )  # fmt: skip


_REFUSAL = (
    b'{"context":"billing","description":%b,"message":%b,"content":{"code":"%b","request_id":"%b",'
    b'"cost":{%b:%d},"budgets":[%b]%b,"detail":%b}}'
)
