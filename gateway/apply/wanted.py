"""The file as it is written: the API's own words for plans, prices and weights, each with its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from gateway.api.fields import Said
from gateway.api.plan_convert import draft_of, price_draft
from gateway.api.plan_models import ApplyToName, CreatePlan
from gateway.api.reading import problems_of
from gateway.api.weights import CreateWeight
from gateway.core.problems import Unprocessable
from gateway.settings.places import Items, Location, Node, Table, descend, joined, plain
from gateway.settings.read import Unreadable, parse
from gateway.store.plans import ApplyTo
from gateway.store.rows import PlanDraft, PriceDraft, WeightDraft

_KEYS = ("plans", "weights")
_MOST = 10_000
M = TypeVar("M", bound=Said)


class FilePlan(CreatePlan):
    """A plan as the API takes it. ``apply_to``: whom other terms than now are for."""

    apply_to: ApplyToName = "current"


@dataclass(frozen=True, slots=True)
class WantedPlan:
    """A plan, whole, with those prices that the file names. ``place``: where it is written."""

    place: str
    draft: PlanDraft
    prices: tuple[PriceDraft, ...]
    apply_to: ApplyTo


@dataclass(frozen=True, slots=True)
class WantedWeight:
    """A weight. ``place``: where it is written."""

    place: str
    draft: WeightDraft


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file wants."""

    plans: tuple[WantedPlan, ...]
    weights: tuple[WantedWeight, ...]


class WrongFile(Exception):  # noqa: N818  (it says what it is)
    """Everything that is wrong with a file: sentences with ``file:line:column``."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read(path: Path) -> Wanted:
    """What the file at ``path`` wants. Raises ``WrongFile``."""
    try:
        tree, odd = parse(path.read_bytes(), str(path))
    except OSError as error:
        raise WrongFile([f"{path}: {error.strerror}"]) from None
    except Unreadable as error:
        raise WrongFile([str(error.problem)]) from None
    reader = _Reader(tree, [str(problem) for problem in odd])
    wanted = Wanted(tuple(reader.plans()), tuple(reader.weights()))
    reader.check_keys()
    if reader.problems:
        raise WrongFile(reader.problems)
    return wanted


class _Reader:
    def __init__(self, tree: Table, problems: list[str]) -> None:
        self._tree = tree
        self.problems = problems

    def check_keys(self) -> None:
        for key, place in self._tree.key_places.items():
            if key not in _KEYS:
                self.problems.append(f"{place}: {key} is not known here; there are plans and weights")

    def plans(self) -> list[WantedPlan]:
        found: list[WantedPlan] = []
        for location, node in self._items("plans"):
            said = self._said(FilePlan, location, node)
            if said is None:
                continue
            try:
                draft = draft_of(said)
            except Unprocessable as problem:
                self._wrong(location, (problem.content or {}).get("fields"))
                continue
            if any(each.draft.slug == draft.slug for each in found):
                self._wrong(location, [{"field": "slug", "problem": "is there twice"}])
            prices = tuple(price_draft(price) for price in said.prices)
            found.append(WantedPlan(str(node.place), draft, prices, said.apply_to))
        return found

    def weights(self) -> list[WantedWeight]:
        found: list[WantedWeight] = []
        for location, node in self._items("weights"):
            said = self._said(CreateWeight, location, node)
            if said is None:
                continue
            description = said.description or None
            draft = WeightDraft(
                method=said.method, pattern=said.path_pattern, weight=said.weight, description=description
            )
            if any((each.draft.method, each.draft.pattern) == (draft.method, draft.pattern) for each in found):
                self._wrong(location, [{"field": "path_pattern", "problem": "is there twice"}])
            found.append(WantedWeight(str(node.place), draft))
        return found

    def _items(self, key: str) -> list[tuple[Location, Node]]:
        node = self._tree.entries.get(key)
        if node is None:
            return []
        if not isinstance(node, Items) or len(node.items) > _MOST:
            self.problems.append(f"{node.place}: {key} must be a list of at most {_MOST:,}")
            return []
        return [((key, number), item) for number, item in enumerate(node.items)]

    def _said(self, model: type[M], location: Location, node: Node) -> M | None:
        try:
            return model.model_validate(plain(node))
        except ValidationError as error:
            self._wrong(location, problems_of(error))
            return None

    def _wrong(self, location: Location, fields: object) -> None:
        for each in fields if isinstance(fields, list) else ():
            steps = [int(step) if step.isdigit() else step for step in str(each["field"]).split(".") if step]
            path = ""
            for step in (*location, *steps):
                path = joined(path, step)
            node, _ = descend(self._tree, (*location, *steps))
            self.problems.append(f"{node.place}: {path} {each['problem']}")
