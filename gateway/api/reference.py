"""The table of routes in ``docs/billing-api.md``: ``python -m gateway.api.reference docs/billing-api.md`` writes it."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.api.audience import Policy, Who
from gateway.api.route import Route
from gateway.api.router import Router
from gateway.api.table import routes

_START, _END = "<!-- routes -->\n", "<!-- /routes -->"
_WHO = {Who.ANYBODY: "anybody", Who.SIGNED: "signature", Who.USER: "user", Who.ADMIN: "admin"}


def table(of: Iterable[Route]) -> str:
    """A row for each route."""
    return "\n".join(["| route | for | what | answer |", "| --- | --- | --- | --- |", *map(_row, of)])


def _row(route: Route) -> str:
    path = "/".join(("", *route.segments)).replace("*}", "}")
    body = f" `{route.takes.__name__}`" if route.takes is not None else ""
    return f"| {route.method} `{path}`{body} | {_who(route)} | {route.summary} | {' '.join(_answer(route))} |"


def _who(route: Route) -> str:
    if route.policy is None:
        return _WHO[route.who]
    needed = "member" if route.policy is Policy.MEMBER else f"`{route.policy.value}`"
    return f"user; workspace: {needed}"


def _answer(route: Route) -> Iterator[str]:
    yield str(route.status)
    if route.tells is not None:
        yield f"[`{route.tells.__name__}`]" if route.lists else f"`{route.tells.__name__}`"


def with_table(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(_START)
    _, _, after = rest.partition(_END)
    return f"{before}{_START}{table(Router(routes(with_store=True)).routes)}\n{_END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text()))
