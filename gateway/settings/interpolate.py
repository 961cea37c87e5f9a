"""``${NAME}``, ``${NAME:-default}`` and ``${file:/path}``, filled in after the YAML was parsed: one value stays one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.settings.files import Files
from gateway.settings.places import Items, Leaf, Node, Table
from gateway.settings.problems import SettingsProblem
from gateway.settings.units import Interpolated

_PART = re.compile(r"\$\$\{|\$\{(?P<inner>[^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)
_LARGEST_FILE = 1 << 20
_FORMS = "${NAME}, ${NAME:-default} or ${file:/path}"


class _Missing(Exception):  # noqa: N818  (never leaves this module)
    pass


@dataclass(slots=True)
class Interpolation:
    """Fills in variables and files, and remembers which values must never be shown."""

    env: Mapping[str, str]
    files: Files
    hidden: set[str] = field(default_factory=set)
    problems: list[SettingsProblem] = field(default_factory=list)

    def table(self, table: Table, folder: Path) -> Table:
        """The same table with every text filled in. Relative files are looked for in ``folder``."""
        return replace(table, entries={key: self._node(entry, folder) for key, entry in table.entries.items()})

    def _node(self, node: Node, folder: Path) -> Node:
        match node:
            case Table():
                return self.table(node, folder)
            case Items():
                return replace(node, items=tuple(self._node(item, folder) for item in node.items))
            case Leaf(value=str() as text) if "${" in text:
                return replace(node, value=self._text(node, text, folder))
            case _:
                return node

    def _text(self, leaf: Leaf, text: str, folder: Path) -> str:
        filled: list[str] = []
        end, foreign = 0, False
        for part in _PART.finditer(text):
            filled.append(text[end : part.start()])
            end = part.end()
            if part[0] == "$${":
                filled.append("${")
                continue
            try:
                value = self._value(part["inner"], folder)
            except _Missing as missing:
                self.problems.append(SettingsProblem(leaf.place, leaf.key, str(missing)))
                return Interpolated(text)
            self.hidden.add(value)
            filled.append(value)
            foreign = True
        whole = "".join([*filled, text[end:]])
        if not foreign:
            return whole
        self.hidden.add(whole)
        return Interpolated(whole)

    def _value(self, inner: str | None, folder: Path) -> str:
        if inner is not None and inner.startswith("file:"):
            return self._file(folder / inner.removeprefix("file:"))
        variable = _VARIABLE.fullmatch(inner or "")
        if variable is None:
            raise _Missing(f"has a ${{ that is none of {_FORMS}; a literal one is written $${{")
        value = self.env.get(variable["name"])
        if variable["default"] is not None:
            return value or variable["default"]
        if value is None:
            raise _Missing(f"the environment variable {variable['name']} is not set")
        return value

    def _file(self, path: Path) -> str:
        try:
            text = self.files.read(path, _LARGEST_FILE).decode()
        except OSError as error:
            raise _Missing(f"the file {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise _Missing(f"the file {path} is not UTF-8 text") from None
        return text.removesuffix("\n").removesuffix("\r")
