"""The Lua scripts: files that are read once and put one behind the other."""

from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple

_FOLDER = files("gateway.ledger.redis") / "lua"


class Script(NamedTuple):
    """A script's text, and the name by which Redis knows it."""

    text: str
    sha: str


def _script(*names: str) -> Script:
    text = "\n".join((_FOLDER / f"{name}.lua").read_text("utf-8") for name in names)
    return Script(text, sha1(text.encode()).hexdigest())  # noqa: S324  (Redis names scripts so)


ACTS = _script("epoch", "numbers", "bucket", "marks", "scope", "draws", "slices", "acts")
DEBITS = _script("epoch", "numbers", "bucket", "marks", "debits")
MERGE = _script("numbers", "bucket", "scope", "merge")
FINISH = _script("finish")
HOME = _script("home")
