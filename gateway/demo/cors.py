"""Cross-origin answers as wacraft's fiber middleware gives them: every origin, only when the request names one."""

from collections.abc import Mapping

from aiohttp import web

EXPOSED = (
    "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "X-RateLimit-Scope, X-RateLimit-Scope-ID, X-RateLimit-Fallback"
)
_METHODS = "GET,POST,HEAD,PUT,DELETE,PATCH"


def cors_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What is added to the answer of a request with these headers."""
    if not headers.get("Origin"):
        return {}
    return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED}


def preflight(method: str, headers: Mapping[str, str]) -> web.Response | None:
    """The answer to a preflight, whatever its path, or ``None`` if the request is none."""
    if method != "OPTIONS" or not headers.get("Origin") or not headers.get("Access-Control-Request-Method"):
        return None
    response = web.Response(status=204, headers={"Access-Control-Allow-Methods": _METHODS})
    response.headers["Vary"] = "Access-Control-Request-Method, Access-Control-Request-Headers"
    if wanted := headers.get("Access-Control-Request-Headers"):
        response.headers["Access-Control-Allow-Headers"] = wanted
    return response
