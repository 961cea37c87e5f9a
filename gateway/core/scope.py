"""Who holds a budget."""

from typing import NamedTuple


class Scope(NamedTuple):
    """A holder of budgets, for example ``Scope("workspace", "aa0e8400-…")``.

    ``id`` is already normalised (UUIDs in canonical lower case) when a scope is made: it keys money.
    """

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"
