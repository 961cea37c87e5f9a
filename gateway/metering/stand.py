"""What one caller may spend under rules that ask the same scopes: looked up once, and laid out for a debit."""

from gateway.core.allowance import Allowance
from gateway.core.principal import Principal
from gateway.core.rules import Rule
from gateway.core.till import Till
from gateway.metering.snapshot import Snapshot
from gateway.metering.till_text import Said, TillText


class Stand:
    """``allowances``: who is asked, in order. ``tills``: theirs, up to the first where it is not so simple.

    ``whole``: all of them have one, so that a refusal is known as well. ``who``: user and workspace. ``texts``: what
    is said of each till. ``said``: what was said of a refusal by all of them; ``refused_us``: when such
    a refusal was last put together.
    """

    __slots__ = (
        "_changes", "_number", "_until_us", "allowances", "principal", "refused_us", "said", "texts", "tills", "who",
        "whole",
    )  # fmt: skip

    def __init__(
        self, snapshot: Snapshot, principal: Principal, kinds: tuple[str, ...], rule: Rule, at_us: int
    ) -> None:
        """For rules like ``rule``. Raises ``Unresolved``."""
        catalog = snapshot.catalog
        self._changes, self._number = catalog.changes, catalog.changes[0]
        self.allowances: tuple[Allowance, ...]
        self.allowances, self._until_us = catalog.asked_until(principal, kinds, at_us, fallback=rule.fallback)
        self.principal = principal
        self.said: Said | None = None
        self.refused_us = 0
        self.who = principal.user, principal.workspace
        tills = list[Till]()
        texts = list[TillText]()
        for allowance in self.allowances:
            found = snapshot.till(allowance, rule.costs)
            if found is None:
                break
            tills.append(found[0])
            texts.append(found[1])
        self.tills, self.texts = tuple(tills), tuple(texts)
        self.whole = bool(tills) and len(tills) == len(self.allowances)

    def holds(self, now_us: int) -> bool:
        """Whether it is still so."""
        return now_us < self._until_us and self._changes[0] == self._number
