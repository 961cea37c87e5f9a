"""The files of one configuration → one tree: read, filled in, included, merged."""

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import gateway
from gateway.settings.files import Files
from gateway.settings.interpolate import Interpolation
from gateway.settings.places import Items, Leaf, Node, Place, Table
from gateway.settings.problems import SettingsProblem, nearest
from gateway.settings.read import Unreadable, parse

COLLECTIONS = frozenset({"plans", "subscriptions", "rules", "identity.api_keys"})
"""Lists to which every file adds. Of all other values one file's counts."""

_PRESET = "preset:"
_PRESET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(slots=True)
class Gathering:
    """One reading of a configuration. ``fatal``: a file is missing or unreadable, so nothing further can be judged."""

    interpolation: Interpolation
    files: Files
    fatal: bool = False
    problems: list[SettingsProblem] = field(default_factory=list)
    _open: dict[str, Path] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def gather(self, path: Path, asked: Place | None = None, key: str = "") -> Table | None:
        """The tree of ``path`` with all it includes. ``asked``: the place of the include, which gets the blame."""
        real = os.path.realpath(str(path).replace("\x00", ""))
        if real in self._open:
            chain = " → ".join(str(shown) for shown in [*self._open.values(), path])
            self._stop(SettingsProblem(asked or Place(str(path)), key, f"includes itself: {chain}"))
            return None
        if real in self._done:
            return None  # reached twice on different ways: its lists count once
        self._done.add(real)
        table = self._read(path, asked, key)
        if table is None:
            return None
        self._open[real] = path
        try:
            return self._with_includes(table, path)
        finally:
            del self._open[real]

    def _stop(self, problem: SettingsProblem) -> None:
        self.problems.append(problem)
        self.fatal = True

    def _read(self, path: Path, asked: Place | None, key: str) -> Table | None:
        try:
            table, problems = parse(self.files.read(path), str(path))
        except OSError as error:
            sentence = (
                f"the file {path} cannot be read: {error.strerror}" if asked else f"cannot be read: {error.strerror}"
            )
            self._stop(SettingsProblem(asked or Place(str(path)), key, sentence))
            return None
        except Unreadable as unreadable:
            self._stop(unreadable.problem)
            return None
        self.problems += problems
        return self.interpolation.table(table, path.parent)

    def _with_includes(self, table: Table, path: Path) -> Table:
        under: Table | None = None
        listed = table.entries.get("include")
        for entry in listed.items if isinstance(listed, Items) else ():
            if not isinstance(entry, Leaf) or not isinstance(entry.value, str):
                continue  # the model says what is wrong with it
            found = self._find(entry.value, path, entry)
            below = None if found is None else self.gather(found, entry.place, entry.key)
            if below is not None:
                under = below if under is None else merged(below, under)
        return table if under is None else merged(table, under)

    def _find(self, name: str, path: Path, entry: Leaf) -> Path | None:
        if not name.startswith(_PRESET):
            return path.parent / name
        known = presets()
        preset = name.removeprefix(_PRESET)
        if preset in known:
            return known[preset]
        listed = ", ".join(sorted(known)) or "none"
        shown = f" '{preset}'" if _PRESET_NAME.fullmatch(preset) else ""
        problem = SettingsProblem(entry.place, entry.key, f"there is no preset{shown}; there are: {listed}")
        self._stop(replace(problem, nearest=nearest(preset, known)))
        return None


def shipped_file() -> Path:
    """The default configuration that comes with the gateway, every key of it explained."""
    package = Path(gateway.__file__).parent
    packed = package / "presets" / "gateway.yaml"
    return packed if packed.is_file() else package.parent / "gateway.yaml"


def presets() -> dict[str, Path]:
    """The configurations that come with the gateway, by name: from the wheel, or from the checkout's ``config/``."""
    package = Path(gateway.__file__).parent
    folders = (package / "presets" / "config", package.parent / "config")
    folder = next((folder for folder in folders if folder.is_dir()), None)
    return {} if folder is None else {file.stem: file for file in sorted(folder.glob("*.yaml"))}


def merged(over: Table, under: Table, prefix: str = "") -> Table:
    """Both tables in one: mappings are merged, collections are added, of anything else ``over`` counts."""
    entries, places = dict(over.entries), dict(over.key_places)
    for name, below in under.entries.items():
        above = entries.get(name)
        if above is None:
            entries[name], places[name] = below, under.key_places[name]
        else:
            entries[name] = _both(above, below, f"{prefix}{name}")
    return replace(over, entries=entries, key_places=places)


def _both(above: Node, below: Node, path: str) -> Node:
    match above, below:
        case Table(), Table():
            return merged(above, below, f"{path}.")
        case Items(items=first), Items(items=second) if path in COLLECTIONS:
            return replace(above, items=first + second)
        case _:
            return above
