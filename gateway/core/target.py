"""The canonical request target: the gateway and the upstream must see the same request, or a spelling becomes a discount."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Profile:
    """What the upstream's router does with a path. See ``PROFILES`` for the named ones.

    ``decode``: percent-decoding inside segments. ``fold``: ``.``, ``..``, ``//`` and backslashes are refused (400) or are data.
    ``case``: whether ASCII case matters. ``trailing_slash``: significant or dropped. ``matrix_params``: ``;x=y`` is data or dropped.
    """

    name: str
    decode: bool = True
    odd_segments: Literal["refuse", "data"] = "refuse"
    case: Literal["sensitive", "insensitive"] = "sensitive"
    trailing_slash: Literal["significant", "dropped"] = "significant"
    matrix_params: Literal["data", "dropped"] = "data"


@dataclass(frozen=True, slots=True)
class Target:
    """``raw`` goes on the upstream's request line as it is (path and query); ``segments`` are what rules match."""

    raw: bytes
    segments: tuple[str, ...]
    query: bytes

    @property
    def path(self) -> str:
        """The canonical path, for logs and people."""
        return "/" + "/".join(self.segments)
