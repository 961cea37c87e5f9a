"""Fields that turn a request into another one at some upstreams (``X-HTTP-Method-Override``, ``X-Original-URL``, …).

Where the upstream honours them, what they make of the request is what is matched. Upstreams differ in what they obey:
most take a method from POST only, some fall back to the request line where they do not know the value. So whatever one
of them might not obey is refused: else a request would be weighed as another than the one that is served.
"""

from collections.abc import Iterable

from gateway.core.hop_by_hop import key_of
from gateway.core.problems import BadRequest
from gateway.core.rule import METHODS

OVERRIDES = frozenset({b"x-http-method-override", b"x-method-override", b"x-original-url", b"x-rewrite-url"})
"""Their keys, as of ``key_of``."""


def overridden(
    method: str, raw_target: bytes, headers: Iterable[tuple[bytes, bytes]], honours: frozenset[bytes]
) -> tuple[str, bytes]:
    """Method and raw target as an upstream understands them that obeys the ``honours`` among ``OVERRIDES``.

    Raises ``BadRequest`` where upstreams would understand different ones.
    """
    meant, seen = (method, raw_target), set()
    for name, value in headers:
        key = key_of(name)
        if key not in honours:
            continue
        says_method = b"method" in key
        if name.lower() != key:
            raise BadRequest(f"Some servers read {_shown(name)} as {_shown(key)}. Write it with hyphens.")
        if says_method in seen:
            raise BadRequest(f"Besides {_shown(key)} there is another field that overrides the same. Send one.")
        seen.add(says_method)
        meant = (_method(key, value, method), meant[1]) if says_method else (meant[0], _path(key, value))
    return meant


def _method(key: bytes, value: bytes, method: str) -> str:
    wanted = value.decode("latin-1")
    if wanted not in METHODS:
        raise BadRequest(f"{_shown(key)} names no method that is forwarded. Write it in capitals, and only one.")
    if method not in {"POST", wanted}:
        raise BadRequest(f"{_shown(key)} goes with POST only. Send a POST, or ask for {wanted} itself.")
    return wanted


def _path(key: bytes, value: bytes) -> bytes:
    if not value.startswith(b"/"):
        raise BadRequest(f"{_shown(key)} is not a path. Start it with `/`.")
    return value


def _shown(name: bytes) -> str:
    return name.decode("latin-1")
