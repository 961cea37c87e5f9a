"""How wacraft's router (fiber v2 on fasthttp) reads a target: the habits that a gateway in front must know.

Nothing is percent-decoded, ``//`` and dots are data, ASCII case is ignored, trailing slashes are dropped, a parameter
is one segment that is not empty and keeps its raw spelling. The first route in the order of registration wins; HEAD is
served by GET's handler.
"""

import string
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
"""The methods that fiber knows; it answers 400 to others."""

ANY = "ANY"
"""A route of this method serves every method, known to fiber or not (test aids only)."""

_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def split_target(raw: str) -> tuple[str, str]:
    """The path and the query of a request target, as fasthttp finds them.

    A target that holds ``://`` anywhere is tried as an absolute one, and there the scheme may be missing: ``//x/contact?u=a://b``
    is the path ``/contact`` on host ``x``, although without the ``://`` its path is all of ``//x/contact``.
    """
    target = _without_authority(raw) if "://" in raw else raw
    path, _, query = target.partition("#")[0].partition("?")
    return path, query


def _without_authority(raw: str) -> str:
    scheme, _, rest = raw.partition("//")
    if "/" in scheme:
        return raw
    slash, question = rest.find("/"), rest.find("?")
    ends = [at for at in (slash, question) if at >= 0]
    return rest[min(ends) :] if ends else "/"


def detection_path(path: str) -> str:
    """What routes are compared with: ASCII case folded, all trailing slashes dropped (a lone ``/`` stays)."""
    folded = path.translate(_FOLD)
    return folded.rstrip("/") if len(folded) > 1 else folded


@dataclass(frozen=True, slots=True)
class Route(Generic[T]):
    """``pattern`` is made of literals, ``:name`` (one segment, not empty) and a last ``**`` (whatever follows)."""

    method: str
    pattern: str
    serve: T

    @property
    def name(self) -> str:
        """How the route is called in the request log, e.g. ``GET /workspace/:id``."""
        return f"{self.method} {self.pattern}"

    def match(self, path: str) -> dict[str, str] | None:
        """The raw parameters if ``path`` reaches this route."""
        wanted = self.pattern.split("/")
        got, folded = path.split("/"), detection_path(path).split("/")
        if wanted[-1] == "**":
            wanted.pop()
            folded = folded[: len(wanted)]
        if len(wanted) != len(folded):
            return None
        params: dict[str, str] = {}
        for want, raw, fold in zip(wanted, got, folded, strict=False):
            if want.startswith(":"):
                if not raw:
                    return None
                params[want[1:]] = raw
            elif want.translate(_FOLD) != fold:
                return None
        return params


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The route that serves a request, and its raw parameters."""

    route: Route[T]
    params: dict[str, str]


@dataclass(frozen=True, slots=True)
class Missing:
    """No route serves the request; ``allow`` names the methods that the path has (405), or is empty (404)."""

    allow: tuple[str, ...] = ()


class Router(Generic[T]):
    """Routes in the order they were registered."""

    def __init__(self) -> None:
        self._routes: list[Route[T]] = []

    def add(self, method: str, pattern: str, serve: T) -> None:
        """Register one route behind those that are there."""
        self._routes.append(Route(method, pattern, serve))

    def find(self, method: str, path: str) -> Found[T] | Missing:
        """The first route that serves ``method`` and the raw ``path``."""
        served_by = {method, ANY, "GET"} if method == "HEAD" else {method, ANY}
        others: list[str] = []
        for route in self._routes:
            params = route.match(path)
            if params is None:
                continue
            if route.method in served_by:
                return Found(route, params)
            others += ["GET", "HEAD"] if route.method == "GET" else [route.method]
        return Missing(tuple(sorted(set(others))))
