"""What all sections of the configuration share."""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

RESTART: JsonDict = {"restart": True}
"""Marks a key that a reload cannot apply."""

SWITCH: JsonDict = {"restart": "switch"}
"""Marks a section that a reload cannot turn on or off, though it can change what is in it."""

FAULTS = "weighbridge_faults"
"""The error type whose context carries several ``Fault``s."""


class Section(BaseModel):
    """A mapping of the YAML: frozen, every key known, nothing coerced, inputs never shown in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Fault(NamedTuple):
    """One thing wrong at ``at``, relative to the section that says so."""

    at: tuple[str | int, ...]
    message: str


def wrong(message: str) -> PydanticCustomError:
    """The error of one value, ready to be raised."""
    return PydanticCustomError("weighbridge", "{said}", {"said": message})


def fail_on(faults: Sequence[Fault]) -> None:
    """Raise all ``faults`` as one error, if there are any."""
    if faults:
        raise PydanticCustomError(FAULTS, "{said}", {"said": faults[0].message, "faults": list(faults)})
