"""``rules[].frame_match``: which messages of a WebSocket's client are weighed."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, Strict, model_validator

from gateway.settings.base import Fault, Section, fail_on
from gateway.settings.names import Text


def _several(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


OneOrMore = (Strict(strict=False), BeforeValidator(_several))
"""Use as ``Annotated[tuple[X, ...], *OneOrMore]``: one value, or a YAML list of them."""

Value = str | int | bool | None


class FrameMatchSettings(Section):
    """Which messages are weighed, by one of three ways. What is too long to be judged is weighed."""

    text: Annotated[tuple[Text, ...], *OneOrMore] = Field(
        default=(),
        description="The whole message is this text, or one of these. Case and white space around do not count.",
    )
    prefix: Annotated[tuple[Text, ...], *OneOrMore] = Field(
        default=(), description="The message begins with this text, or one of these. Case does not count."
    )
    members: dict[Text, Annotated[tuple[Value, ...], *OneOrMore]] = Field(
        default={},
        description="The message is a JSON object with all these members, such as `{type: send}`: each has this value, "
        "or one of these. A list is weighed if one of its objects is so. What cannot be read is weighed.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        said = [bool(self.text), bool(self.prefix), bool(self.members)]
        fail_on([] if sum(said) == 1 else [Fault((), "must have one of text, prefix and members")])
        return self
