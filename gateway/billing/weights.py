"""What requests cost, as admins see it: their own weights, which they can change, and the configuration's rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.billing import both
from gateway.catalog.merge import Configured, check_weights, rule_of
from gateway.core.pattern import PatternError
from gateway.core.problems import Conflict, Unprocessable
from gateway.core.rule import Rule
from gateway.core.rules import RuleTable
from gateway.store import weights
from gateway.store.listing import Listing
from gateway.store.mandate import Mandate
from gateway.store.rows import WeightDraft, WeightRow
from gateway.store.store import Store
from gateway.store.weights import Edit

READ_ONLY = "This rule is part of the configuration. Change it there, or add a weight of the same path, which counts."


@dataclass(frozen=True, slots=True)
class Entry:
    """A weight. ``row``: the admin's, ``None``: the configuration's. ``rule``: as it counts, ``None``: it does not.

    ``shadowed``: admins' weights take all its requests. ``problem``: why an admin's does not count.
    """

    id: str
    row: WeightRow | None
    rule: Rule | None
    shadowed: bool = False
    problem: str | None = None

    @property
    def name(self) -> str:
        """The rule's name, as the journal has it."""
        return f"{self.row.method} {self.row.pattern}" if self.row is not None else self.rule.name if self.rule else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which weights; ``None``: any. ``text``: in method and pattern ("GET /a"), or in the description."""

    method: str | None = None
    text: str | None = None
    source: Literal["database", "file"] | None = None


class Weights:
    """The weights. ``configured``: what the configuration says now; ``table``: the rules that count now."""

    def __init__(self, store: Store, configured: Callable[[], Configured], table: Callable[[], RuleTable]) -> None:
        self._store = store
        self._configured = configured
        self._table = table

    async def page(self, listing: Listing, wanted: Wanted) -> list[Entry]:
        """A page of them. The configuration's count as the oldest."""

        async def fetch(part: Listing) -> Sequence[Entry]:
            rows = await weights.page(self._store, part, method=wanted.method, text=wanted.text)
            return self._entries(rows)

        async def count() -> int:
            return await weights.count(self._store, listing, method=wanted.method, text=wanted.text)

        match wanted.source:
            case "file":
                return await both.page(listing, self._of_file(wanted), _nothing, _none)
            case "database":
                return await both.page(listing, (), fetch, count)
            case None:
                return await both.page(listing, self._of_file(wanted), fetch, count)

    async def get(self, id_: str) -> Entry:
        """One. Raises ``NotFound``."""
        if (found := self._in_file(id_)) is not None:
            return found
        return self._entry(await weights.get(self._store, id_))

    async def create(self, draft: WeightDraft, by: Mandate) -> Entry:
        """Add one. Raises ``Conflict``, ``Unprocessable``."""
        return self._entry(await weights.create(self._store, draft, self._check(draft), by))

    async def update(self, id_: str, edit: Edit, by: Mandate) -> Entry:
        """Change one. Raises ``NotFound``, ``PreconditionFailed``, ``Conflict``, ``Unprocessable``."""
        self._check_editable(id_)
        made: list[WeightDraft] = []

        def remembered(old: WeightDraft) -> WeightDraft:
            made.append(edit(old))
            return made[-1]

        def check(rows: Sequence[WeightRow]) -> None:
            self._check(made[-1])(rows)

        return self._entry(await weights.update(self._store, id_, remembered, check, by))

    async def delete(self, id_: str, by: Mandate) -> None:
        """Remove one. Raises ``NotFound``, ``PreconditionFailed``, ``Conflict`` for one of the configuration."""
        self._check_editable(id_)
        await weights.delete(self._store, id_, by)

    def _check(self, draft: WeightDraft) -> weights.Check:
        """Judges the one that is made: others may have stopped to count when the configuration changed."""

        def check(rows: Sequence[WeightRow]) -> None:
            own = {row.id for row in rows if (row.method, row.pattern) == (draft.method, draft.pattern)}
            try:
                check_weights(self._configured(), rows)
            except Unprocessable as problem:
                said = (problem.content or {}).get("weights")
                wrong = {id_: text for id_, text in said.items() if id_ in own} if isinstance(said, dict) else {}
                if wrong:
                    sentence = "; ".join(wrong.values())
                    fields = [{"field": "path_pattern", "problem": sentence}]
                    raise Unprocessable(f"This cannot be weighed: {sentence}", content={"fields": fields}) from None

        return check

    def _check_editable(self, id_: str) -> None:
        if self._in_file(id_) is not None:
            raise Conflict(READ_ONLY)

    def _entry(self, row: WeightRow) -> Entry:
        return self._entries([row])[0]

    def _entries(self, rows: Sequence[WeightRow]) -> list[Entry]:
        """Rows with how they count, since the configuration may have changed after they were made."""
        counting = {rule.origin.where for rule in self._table().rules if rule.origin.kind == "admin"}
        made = []
        for row in rows:
            rule, problem = None, None if row.id in counting else "another weight or rule takes all its requests"
            try:
                rule = rule_of(self._configured(), row)
            except PatternError as error:
                problem = str(error)
            made.append(Entry(row.id, row, rule, problem=problem))
        return made

    def _in_file(self, id_: str) -> Entry | None:
        return next((entry for entry in self._of_file(Wanted()) if entry.id == id_), None)

    def _of_file(self, wanted: Wanted) -> list[Entry]:
        hidden = {each.rule.name for each in self._table().shadowed if each.rule.origin.kind == "file"}
        text = (wanted.text or "").casefold()
        return [
            Entry(both.id_in_file("rule", rule.method, rule.pattern), None, rule, rule.name in hidden)
            for rule in self._configured().rules.rules
            if rule.origin.kind == "file"
            and wanted.method in (None, rule.method)
            and text in f"{rule.method} {rule.pattern}".casefold()
        ]


async def _nothing(_listing: Listing) -> Sequence[Entry]:
    return ()


async def _none() -> int:
    return 0
