"""Finds the route of a path. Literals come before parameters, whatever the order of the tables."""

from collections.abc import Iterable, Sequence

from gateway.api.route import Found, Route, match
from gateway.core.problems import MethodNotAllowed, NotFound


class Router:
    """All routes below one prefix. Raises ``ValueError`` if two of them are one."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(sorted(routes, key=_rank))
        seen = set()
        for each in self.routes:
            key = (each.method, _shape(each))
            if key in seen:
                raise ValueError(f"{each.method} {each.template} is there twice")
            seen.add(key)

    def find(self, method: str, path: Sequence[str]) -> Found:
        """The route. Raises ``NotFound``, and ``MethodNotAllowed`` with ``Allow`` (RFC 9110, 15.5.6).

        The first template that fits decides, whatever its methods: ``/plan/all`` is no plan with the id ``all``.
        """
        allowed: list[str] = []
        asked, shape = "GET" if method == "HEAD" else method, None
        for each in self.routes:
            params = match(each.segments, path)
            if params is None or shape not in (None, _shape(each)):
                continue
            if each.method == asked:
                return Found(each, params)
            shape = _shape(each)
            allowed.append(each.method)
        if not allowed:
            raise NotFound("This path is the gateway's own, and nothing is there.")
        allowed += ["HEAD"] if "GET" in allowed else []
        ways = ", ".join(dict.fromkeys(allowed))
        raise MethodNotAllowed(f"This path knows {ways}.", headers=((b"Allow", ways.encode()),))


def _rank(route: Route) -> tuple[tuple[int, str], ...]:
    """Segment by segment: literals, then parameters, then what takes the rest."""
    return tuple((_kind(part), part) for part in route.segments)


def _shape(route: Route) -> tuple[str, ...]:
    return tuple(part if not _kind(part) else "{}" if _kind(part) == 1 else "{*}" for part in route.segments)


def _kind(part: str) -> int:
    return 2 if part.endswith("*}") else 1 if part.startswith("{") else 0
