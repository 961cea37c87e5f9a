"""The routes of wacraft as ``tests/cases/wacraft/routes.txt`` lists them, and examples of requests to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.data import ACME, ACME_PHONE, ALICE, CAMPAIGN, PICTURE

CASES = Path(__file__).parents[1] / "cases" / "wacraft"
SECRET = "a-secret-of-the-tests-that-is-long-enough"
_EXAMPLES = {
    "workspace_id": ACME.id,
    "user_id": ALICE.id,
    "waba_id": ACME_PHONE.waba_id,
    "campaign_id": CAMPAIGN,
    "key": "name",
    "text": "o%20L%C3%A1%2f",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One line: ``payer`` is address, nobody, user, workspace or named; ``more`` what else is special."""

    method: str
    path: str
    payer: str
    weight: int
    more: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def public(self) -> bool:
        return self.payer in ("address", "nobody", "named")

    @property
    def example(self) -> str:
        """A path that reaches it."""
        segments = self.path.split("/")
        id_ = PICTURE.id if "/media/" in self.path else ACME_PHONE.id
        return "/".join(_EXAMPLES.get(each[1:], id_) if each.startswith(":") else each for each in segments)


def routes() -> Iterator[Route]:
    """All of them, in the order of the file."""
    for line in (CASES / "routes.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            method, path, payer, weight, *more = line.split()
            yield Route(method, path, payer, int(weight), frozenset(more))


ROUTES = list(routes())


def spellings(path: str) -> Iterator[str]:
    """What wacraft's router takes for the same path."""
    yield path
    yield path.upper()
    yield f"{path}/"
    yield f"{path.title()}//"
