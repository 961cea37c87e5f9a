"""A tree → ``Settings``, or every problem: pydantic's errors in plain words, at the places where they were written."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.base import FAULTS
from gateway.settings.crosscheck import Known
from gateway.settings.keys import homes, section_at
from gateway.settings.models import Settings
from gateway.settings.places import Items, Leaf, Location, Node, Place, Source, Table, descend, joined, plain
from gateway.settings.problems import SettingsProblem, nearest
from gateway.settings.units import Interpolated

_ROUNDS = 20
_QUOTED = re.compile(r"'([^']*)'")
_BOOLEAN_LOOKALIKES = frozenset({"on", "off", "yes", "no", "y", "n"})
_NO_LIST = "must be a list"


class _Finding(NamedTuple):
    problem: SettingsProblem
    culprit: Node | None
    """What has to go for the rest to be judged; ``None``: nothing, the problem lies between sections."""


def validated(root: Table, *, whole: bool = True) -> Settings | list[SettingsProblem]:
    """The settings that ``root`` describes, or all that is wrong with it.

    With ``whole`` false a file is missing from ``root``: what it may have said is not missed.

    What is between sections can be judged only when every section is sound, so after a first failure the broken
    parts are left out and the rest is looked at again.
    """
    tree, problems, known = root, list[SettingsProblem](), Known(Source(root=root))
    for _ in range(_ROUNDS):
        try:
            settings = Settings.model_validate(plain(tree), context=known)
        except ValidationError as error:
            findings = list(_findings(error, tree))
        else:
            return problems or settings
        if not whole:
            return [
                finding.problem for finding in findings if finding.culprit is not None and finding.culprit is not root
            ]
        between = all(finding.culprit is None for finding in findings)
        if between or not known.partial:
            problems += [finding.problem for finding in findings]
        if between:
            break
        tree = _without(tree, {id(finding.culprit) for finding in findings})
        known = Known(Source(root=tree), partial=True)
    return problems


def _findings(error: ValidationError, root: Table) -> Iterator[_Finding]:
    for detail in error.errors(include_url=False, include_input=False):
        location = detail["loc"]
        if detail["type"] == FAULTS:
            culprit = descend(root, location)[0] if location else None
            for fault in detail["ctx"]["faults"]:
                node, rest = descend(root, (*location, *fault.at))
                yield _Finding(SettingsProblem(node.place, _key(node, rest), fault.message), culprit)
        else:
            yield _finding(detail, location, root)


def _key(node: Node, rest: Location) -> str:
    key = node.key
    for step in rest if isinstance(node, Table) else ():
        key = joined(key, step)
    return key


def _finding(detail: ErrorDetails, location: Location, root: Table) -> _Finding:
    node, rest = descend(root, location)
    match detail["type"]:
        case "extra_forbidden":
            return _Finding(_unknown(location, node, root), node)
        case "missing":
            return _Finding(SettingsProblem(node.place, _key(node, rest), "is required"), node)
        case _:
            message = _message(detail, node)
            return _Finding(SettingsProblem(node.place, _key(node, rest), message, _meant(detail, node)), node)


def _unknown(location: Location, node: Node, root: Table) -> SettingsProblem:
    parent, name = descend(root, location[:-1])[0], str(location[-1])
    place = parent.key_places[name] if isinstance(parent, Table) else node.place
    section = section_at(location[:-1])
    meant = None if section is None else nearest(name, section.model_fields)
    elsewhere = homes(name)
    if meant is None and elsewhere:
        return SettingsProblem(place, node.key, "unknown key here", nearest=" or ".join(elsewhere))
    return SettingsProblem(place, node.key, "unknown key", nearest=meant)


def _meant(detail: ErrorDetails, node: Node) -> str | None:
    """The allowed word closest to the one that was written."""
    if detail["type"] != "literal_error" or not isinstance(node, Leaf) or not isinstance(node.value, str):
        return None
    if isinstance(node.value, Interpolated):
        return None
    return nearest(node.value, _QUOTED.findall(detail["ctx"]["expected"]))


_SENTENCES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "model_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def _message(detail: ErrorDetails, node: Node) -> str:
    if detail["type"] == "literal_error":
        return "must be " + _QUOTED.sub(r"\1", detail["ctx"]["expected"])
    known = _SENTENCES.get(detail["type"])
    sentence = detail["msg"] if known is None else known.format_map(detail.get("ctx", {}))
    return sentence + _hint(detail["type"], sentence, node.value if isinstance(node, Leaf) else node)


def _hint(kind: str, sentence: str, value: object) -> str:
    """What YAML made of it, where that may surprise."""
    if kind == "string_type" and isinstance(value, int | float):
        return "; put it in quotes"
    if kind == "bool_type" and isinstance(value, str) and value.lower() in _BOOLEAN_LOOKALIKES:
        return "; on, off, yes and no are text"
    if value is None and kind in ("model_type", "dict_type"):
        return "; an empty one is {}"
    return "; an empty one is []" if value is None and sentence == _NO_LIST else ""


def _without(root: Table, culprits: set[int]) -> Table:
    """The tree without its broken parts. Plans stay as names, so that whoever refers to them is not blamed."""
    kept = _kept(root, culprits)
    entries = dict(kept.entries) if isinstance(kept, Table) else {}
    plans = root.entries.get("plans")
    if isinstance(plans, Items):
        items = tuple(_stub(item) if _touched(item, culprits) else item for item in plans.items)
        entries["plans"] = Items(plans.place, plans.key, tuple(item for item in items if item is not None))
    if "upstream" not in entries:
        entries["upstream"] = _table(root.place, "upstream", url="http://upstream.invalid")
    return Table(root.place, root.key, entries, root.key_places)


def _kept(node: Node, culprits: set[int]) -> Node | None:
    if id(node) in culprits and node.key:
        return None
    match node:
        case Leaf():
            return node
        case Items():
            items = (_kept(item, culprits) for item in node.items)
            return Items(node.place, node.key, tuple(item for item in items if item is not None))
        case Table():
            kept = {key: _kept(entry, culprits) for key, entry in node.entries.items()}
            entries = {key: entry for key, entry in kept.items() if entry is not None}
            return Table(node.place, node.key, entries, node.key_places)


def _touched(node: Node, culprits: set[int]) -> bool:
    match node:
        case Items():
            below = any(_touched(item, culprits) for item in node.items)
        case Table():
            below = any(_touched(entry, culprits) for entry in node.entries.values())
        case Leaf():
            below = False
    return below or id(node) in culprits


def _stub(plan: Node) -> Table | None:
    slug = plan.entries.get("slug") if isinstance(plan, Table) else None
    if not isinstance(slug, Leaf) or not isinstance(slug.value, str):
        return None
    return _table(plan.place, plan.key, slug=slug.value, unlimited=True)


def _table(place: Place, key: str, **values: str | bool) -> Table:
    entries: dict[str, Node] = {name: Leaf(place, joined(key, name), value) for name, value in values.items()}
    return Table(place, key, entries, dict.fromkeys(entries, place))
