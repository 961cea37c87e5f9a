"""What a payment provider must be able to do, in our words. None of a provider's own words above its package.

A provider is asked and answers with values of ``core.sale``. What it tells unasked (a webhook) is a ``Signal``: a hint
about what to read again, never a fact.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from gateway.core.sale import Agreement, Mode, Order, Receipt, Tag
from gateway.core.scope import Scope


class ProviderError(Exception):
    """The provider did not do it. ``message`` is for the caller and holds no secret; ``retry``: later it may."""

    def __init__(self, message: str, *, retry: bool = False, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.retry = retry
        self.code = code


class Declined(ProviderError):  # noqa: N818  (an outcome for the customer)
    """The customer's bank said no, or wants the customer: for the customer to mend."""


class Gone(ProviderError):  # noqa: N818  (what HTTP calls it)
    """The provider has no such object (any more)."""


class Scheduled(ProviderError):  # noqa: N818  (what stands in the way)
    """Somebody else has arranged something for it at the provider, such as another price, and it would be undone."""

    def __init__(self) -> None:
        super().__init__(
            "Something is scheduled for this at the payment provider. Only whoever runs this can change that.",
            code="scheduled",
        )


class Strange(ProviderError):  # noqa: N818  (what the key is)
    """The key is of another account, or of the other mode, than what is kept here was sold through: nothing is done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="account")


class Busy(ProviderError):  # noqa: N818  (what it is)
    """More is asked of the provider just now than it would answer: this was not done."""

    def __init__(self) -> None:
        said = "So much is asked of the payment provider just now that this would wait too long."
        super().__init__(said, retry=True, code="busy")


class Foreign(Exception):  # noqa: N818  (what the message is)
    """What came is genuine, and about somebody else: of another account, or of the other mode."""


class BadSignature(Exception):  # noqa: N818  (whose fault it is, is not ours to say)
    """What came is not from the provider, or was changed, or is too old. Says nothing more: a forger reads it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is sold: a plan's price in one currency. ``days``: how long it lasts, or how often it renews."""

    plan_id: str
    slug: str
    name: str
    description: str | None
    currency: str
    amount: int
    days: int
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A checkout to be opened. ``key``: names the wish: asking twice opens one, also after a failure.

    ``success_url`` may hold ``{CHECKOUT_ID}``, which becomes the order's id.
    """

    key: str
    tag: Tag
    item: Item
    customer: str
    success_url: str
    cancel_url: str
    expires_us: int
    trial_days: int = 0


class Line(NamedTuple):
    """One line of a preview."""

    description: str
    amount: int


class Preview(NamedTuple):
    """What a change of plan would cost now. ``at_us``: the instant it is reckoned for; hand it back to change.

    ``begins_us``: when the other plan begins, and ``amount_then``, what it costs then; ``None``: at once.
    """

    amount_due: int
    currency: str
    lines: tuple[Line, ...]
    at_us: int
    begins_us: int | None = None
    amount_then: int | None = None


class Drift(NamedTuple):
    """Something of the catalog that is not at the provider as we have it. ``mended``: it is now."""

    object: str
    problem: str
    mended: bool = False


Subject = Literal["order", "agreement", "payment", "catalog", "other"]


class Signal(NamedTuple):
    """Something has happened at the provider. ``key``: names this happening. ``id``: of what it is about.

    ``test``: whether it is of the provider's sandbox. ``text``: as it came, for the inbox.
    """

    key: str
    kind: str
    subject: Subject
    id: str
    created_us: int
    test: bool
    account: str | None
    text: str


class Owner(NamedTuple):
    """Whom something at the provider belongs to, as far as it says. All ``None``: not of ours.

    ``plan``: of ours, and paid for, where nothing says by whom.
    """

    subscription: str | None = None
    order: str | None = None
    agreement: str | None = None
    plan: str | None = None


Verdict = Literal["good", "look", "bad", "ask"]
"""``look``: it works, but; ``ask``: only a person can see it."""


class Check(NamedTuple):
    """One thing about how the provider is set up: how it is and, unless that is good, how to mend it."""

    what: str
    verdict: Verdict = "good"
    mend: str = ""


class Account(NamedTuple):
    """Whose key it is at the provider. ``id`` ``None``: the key may not say. ``test``: its money is not real."""

    id: str | None
    test: bool

    @property
    def name(self) -> str:
        """As it is kept beside what was sold."""
        return f"{self.id or '?'}{'/test' if self.test else ''}"

    def may_be(self, other: "Account") -> bool:
        """Whether both are the same, as far as they are known."""
        return self.test == other.test and (self.id == other.id or None in (self.id, other.id))

    @classmethod
    def named(cls, name: str) -> "Account":
        """The account that is kept as ``name``."""
        id_, _, mode = name.partition("/")
        return cls(None if id_ == "?" else id_, mode == "test")

    def __str__(self) -> str:
        return f"{self.id or 'an account that is not known'} ({'sandbox' if self.test else 'live'})"


class Memory(Protocol):
    """What a provider has to remember beyond a restart, and together with other gateways."""

    async def admit(self, account: Account) -> None:
        """Remember whose key it is. Raises ``Strange`` if what is kept was sold through another."""
        ...

    async def attempt(self, act: str) -> int:
        """How many keys of this act are used up: each stands for an answer that would only be repeated."""
        ...

    async def use_up(self, act: str, attempt: int) -> None:
        """The key of this attempt is used up, if nobody has said so before."""
        ...


class Provider(Protocol):
    """A payment provider. Every call may raise ``ProviderError``."""

    name: str
    test: bool
    """Its money is not real."""
    alarming: frozenset[str]
    """Kinds of signals that somebody must look at."""

    async def whose(self) -> Account:
        """Whose key it is."""
        ...

    async def admitted(self) -> Account:
        """The same; raises ``Strange`` if it is not whose it was. Every other call that asks the provider does, too."""
        ...

    async def ensure_customer(self, known: str | None, scope: Scope, user_id: str | None, key: str) -> str:
        """The customer that ``known`` names; one that was deleted, or none, is made anew."""
        ...

    async def open_order(self, wish: Wish) -> Order:
        """Open a checkout."""
        ...

    async def order(self, id_: str) -> Order:
        """A checkout as it is now."""
        ...

    async def expire_order(self, id_: str) -> Order:
        """Close a checkout's page, if it still is open and the provider can; what it is now."""
        ...

    async def agreement(self, id_: str) -> Agreement:
        """An agreement as it is now."""
        ...

    async def receipts(self, *, agreement: str | None = None, payment: str | None = None) -> tuple[Receipt, ...]:
        """All payments of an agreement, or one payment."""
        ...

    async def stop(self, agreement: str) -> Agreement:
        """Do not renew it. What somebody else has scheduled for it is off, and then it is not to be resumed."""
        ...

    async def resume(self, agreement: str) -> Agreement:
        """Renew it after all. Raises ``Scheduled`` where that would undo what somebody else has scheduled."""
        ...

    async def end(self, agreement: str) -> Agreement:
        """End it now; where the provider cannot, stop it. What is due for it cannot be paid any more.

        One that is over already stays so: then only what was still due can be paid no more.
        """
        ...

    async def withdraw(self, agreement: str) -> Agreement:
        """End one that has not begun, so that its first payment cannot be made any more; what it is now.

        If that was made just then, it goes on; if it is being made, it still has not begun.
        """
        ...

    async def preview(self, agreement: str, item: Item, at_us: int) -> Preview:
        """What a change to ``item`` would cost now, reckoned for ``at_us``."""
        ...

    async def change(self, agreement: str, item: Item, at_us: int, key: str) -> Agreement:
        """Change to another plan now, reckoned for ``at_us``; a dearer one only once the difference is paid.

        What was agreed for the next period before is off then, and holds as before if the change is not made; where
        that fails too, it is off. Raises ``Scheduled``.
        """
        ...

    async def change_later(self, agreement: str, item: Item) -> Agreement:
        """Change to another plan with the next period, not to what was agreed for it before. Raises ``Scheduled``."""
        ...

    async def stay(self, agreement: str) -> Agreement:
        """Change to nothing else with the next period. Raises ``Scheduled``."""
        ...

    async def portal(self, customer: str, return_url: str) -> str:
        """A page on which a customer manages cards and invoices; good for a few minutes."""
        ...

    def read_signal(self, headers: Mapping[str, str], body: bytes, now_us: int) -> Signal:
        """Raises ``BadSignature``, or ``Foreign``. ``headers`` have names in lower case."""
        ...

    def signals(self, after: str | None, since_us: int) -> AsyncIterator[Signal]:
        """What has happened after the one with key ``after``, oldest first. Raises ``Gone`` if it is forgotten.

        Nothing, where the provider keeps no list.
        """
        ...

    async def owner(self, signal: Signal) -> Owner:
        """Whom a signal is about."""
        ...

    def everything(self, since_us: int, after: str | None = None) -> AsyncIterator[tuple[Owner, str]]:
        """Whom everything at the provider is about: for a sync that trusts no memory. Nobody: it is not of ours.

        Each with its place; it goes on ``after`` one. Raises ``Gone`` if that place is not there any more.
        """
        ...

    async def push(self, items: Sequence[Item], *, dry_run: bool) -> tuple[Drift, ...]:
        """Make the provider's catalog ours, and say what was not."""
        ...

    def objection(self, item: Item) -> str | None:
        """Why ``item`` cannot be sold as it is, in words; ``None``: it can."""
        ...

    async def examine(self, webhook_url: str | None, currencies: Sequence[str]) -> tuple[Check, ...]:
        """How it is set up, point by point. ``currencies``: those in which something is sold."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...
