"""What an upstream's router does with a path."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Profile:
    """What the upstream's router does with a path. See ``PROFILES`` for the named ones.

    ``decode``: percent-decoding inside segments after the split at raw ``/`` (``%2F`` stays inside), of the whole path
    before the split (``%2F`` separates), or not at all. ``odd_segments``: ``.``, ``..``, ``//`` and backslashes are
    refused or are data. ``case``: insensitive folds ASCII where nothing is decoded, else as widely as any router does.
    ``trailing_slash``: significant, or all of them dropped. ``matrix_params``: ``;x=y`` is data or dropped.
    """

    name: str
    decode: Literal["segments", "path", "none"] = "segments"
    odd_segments: Literal["refuse", "data"] = "refuse"
    case: Literal["sensitive", "insensitive"] = "sensitive"
    trailing_slash: Literal["significant", "dropped"] = "significant"
    matrix_params: Literal["data", "dropped"] = "data"


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "strict": Profile("strict"),
        "fiber": Profile("fiber", decode="none", odd_segments="data", case="insensitive", trailing_slash="dropped"),
        "decoded": Profile("decoded", decode="path"),
    }
)
"""Named profiles; single options are changed with ``dataclasses.replace``."""
