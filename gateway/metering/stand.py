"""What one caller may spend under rules that ask the same scopes: looked up once, and laid out for a debit."""

from gateway.core.allowance import Allowance
from gateway.core.principal import Principal
from gateway.core.till import Till, till_of
from gateway.metering.snapshot import Snapshot


class Stand:
    """``allowances``: who is asked, in order. ``till``: of the first of them, where that is simple.

    ``who``: user and workspace. ``template``, ``payer``: what answers and the log say of a charge to the till; made by
    who says it.
    """

    __slots__ = ("_changes", "_number", "_until_us", "allowances", "payer", "principal", "template", "till", "who")

    def __init__(
        self, snapshot: Snapshot, principal: Principal, kinds: tuple[str, ...], at_us: int, *, fallback: bool
    ) -> None:
        """Raises ``Unresolved``."""
        catalog = snapshot.catalog
        self._changes, self._number = catalog.changes, catalog.changes[0]
        self.allowances: tuple[Allowance, ...]
        self.allowances, self._until_us = catalog.asked_until(principal, kinds, at_us, fallback=fallback)
        self.principal = principal
        self.who = principal.user, principal.workspace
        self.till: Till | None = till_of(self.allowances[0]) if self.allowances else None
        self.template = b""
        self.payer = b""

    def holds(self, now_us: int) -> bool:
        """Whether it is still so."""
        return now_us < self._until_us and self._changes[0] == self._number
