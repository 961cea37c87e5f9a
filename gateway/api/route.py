"""Routes: what a path answers, to whom, and what it takes and tells. The OpenAPI document is generated from them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.api.audience import Policy, Who
from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import Said, Told
from gateway.api.reply import Reply

__all__ = ["USUAL", "Found", "Policy", "Route", "Who", "match", "route"]

Method = Literal["GET", "POST", "PUT", "DELETE", "PATCH"]
Handler = Callable[[Call, Desk], Awaitable[Reply]]
USUAL = -1
"""A route's rate is the one that the settings name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path below the prefix.

    ``template``: literals and ``{name}``; ``{name*}`` at the end takes all that is left. ``policy``: the route heeds
    the workspace that a request names, and then asks for this; ``None``: it does not look at it.
    ``asks``: the model of the query, ``takes``: that of the JSON body; ``reads_raw``: the body comes as it is.
    ``tells``: what a good answer holds; ``lists``: a list of it. ``per_minute``: its own rate, 0: none.
    """

    method: Method
    template: str
    handler: Handler
    who: Who
    policy: Policy | None
    asks: type[Said] | None
    takes: type[Said] | None
    tells: type[Told] | None
    lists: bool
    status: int
    reads_raw: bool
    per_minute: int
    media: str

    @property
    def segments(self) -> tuple[str, ...]:
        """The template's parts."""
        return tuple(part for part in self.template.split("/") if part)

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().split("\n")[0].replace("``", "`")


def route(  # noqa: PLR0913  (a table of routes reads best with names)
    method: Method,
    template: str,
    handler: Handler,
    *,
    who: Who,
    policy: Policy | None = None,
    asks: type[Said] | None = None,
    takes: type[Said] | None = None,
    tells: type[Told] | None = None,
    lists: bool = False,
    status: int = 200,
    reads_raw: bool = False,
    per_minute: int = USUAL,
    media: str = "application/json",
) -> Route:
    """A route for a table. Raises ``ValueError`` for one that could not work."""
    if not template.startswith("/") or template != template.lower():
        raise ValueError(f"{template}: a template starts with / and is in lower case")
    if takes is not None and reads_raw:
        raise ValueError(f"{method} {template}: the body is either JSON or raw")
    if policy is not None and who is not Who.USER:
        raise ValueError(f"{method} {template}: only a route for users heeds the workspace")
    return Route(
        method=method,
        template=template,
        handler=handler,
        who=who,
        policy=policy,
        asks=asks,
        takes=takes,
        tells=tells,
        lists=lists,
        status=status,
        reads_raw=reads_raw,
        per_minute=per_minute,
        media=media,
    )


class Found(NamedTuple):
    """A route, and what its parameters are in a path."""

    route: Route
    params: dict[str, str]


def match(segments: Sequence[str], path: Sequence[str]) -> dict[str, str] | None:
    """The parameters of ``path`` if it is one of the template ``segments``."""
    params: dict[str, str] = {}
    for index, part in enumerate(segments):
        if part.startswith("{") and part.endswith("*}"):
            params[part[1:-2]] = "/".join(path[index:])
            return params if index < len(path) else None
        if index >= len(path):
            return None
        if part.startswith("{"):
            if not path[index]:
                return None
            params[part[1:-1]] = path[index]
        elif part != path[index]:
            return None
    return params if len(segments) == len(path) else None
