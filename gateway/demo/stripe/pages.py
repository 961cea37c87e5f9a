"""The pages of the fake Stripe that a person sees. They say that nothing here is real."""

from html import escape

from gateway.core.money import written
from gateway.demo.stripe.objects import Object

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem}}
.mark{{background:#b00020;color:#fff;padding:.5rem 1rem;border-radius:.3rem}}
button{{font:inherit;padding:.5rem 1rem;margin:.3rem .3rem .3rem 0}}</style></head>
<body><p class="mark" role="note"><strong>Not real.</strong> This is Weighbridge's stand-in for Stripe: no card is asked
for and no money moves.</p>{body}</body></html>"""


def page(title: str, body: str) -> str:
    """A page; ``body`` is HTML."""
    return _PAGE.format(title=escape(title), body=body)


def _button(name: str, value: str, label: str) -> str:
    return f'<button name="{escape(name)}" value="{escape(value)}">{escape(label)}</button>'


def checkout(session: Object, names: list[str], note: str = "") -> str:
    """Where a customer pays."""
    amount = written(session["amount_total"], session["currency"])
    what = ", ".join(escape(name) for name in names)
    how = "renews until cancelled" if session["mode"] == "subscription" else "paid once"
    said = f"<p><strong>{escape(note)}</strong></p>" if note else ""
    buttons = _button("do", "pay", f"Pay {amount}") + _button("do", "decline", "Pay with a card that is declined")
    if session["amount_total"]:
        buttons += _button("do", "delay", "Pay by bank transfer (arrives later)")
    back = f'<p><a href="{escape(session["cancel_url"] or "/")}">Back without paying</a></p>'
    return page(
        "Checkout (not real)", f'<h1>{what}</h1><p>{amount}, {how}</p>{said}<form method="post">{buttons}</form>{back}'
    )


def transfer() -> str:
    """A bank transfer that is on its way: here the bank is whoever looks."""
    buttons = _button("do", "arrive", "Let the money arrive") + _button("do", "fail", "Let it fail")
    said = "<h1>Bank transfer</h1><p>It is on its way. A real one takes some days.</p>"
    return page("Bank transfer (not real)", f'{said}<form method="post">{buttons}</form>')


def portal(subscriptions: list[Object], return_url: str) -> str:
    """Where a customer manages what they have."""
    rows = []
    for each in subscriptions:
        ends = " (ends with its period)" if each["cancel_at_period_end"] else ""
        act = ("resume", "Renew it after all") if each["cancel_at_period_end"] else ("stop", "Do not renew")
        button = "" if each["status"] == "canceled" else _button(act[0], each["id"], act[1])
        rows.append(f"<li>{escape(each['id'])}: {escape(each['status'])}{ends} {button}</li>")
    card = _button("card", "good", "Use a card that works") + _button("card", "bad", "Use a card that is declined")
    form = f'<form method="post"><ul>{"".join(rows)}</ul>{card}</form>'
    return page("Portal (not real)", f'<h1>Your subscriptions</h1>{form}<p><a href="{escape(return_url)}">Back</a></p>')


def told(title: str, text: str) -> str:
    """A page that only says something."""
    return page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")
