"""Which workspace a request is for.

All places that name one must name the same: the upstream might act for another than the one that is charged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.core.problems import BadRequest
from gateway.core.scope import canonical_uuid, normalise_id
from gateway.identity.carriers import canonical_name, query_value


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSource:
    """Where clients name a workspace. A token names it by its issuer's ``workspace_claim``, a route by a parameter.

    ``uuid_only``: anything but a UUID is malformed.
    """

    header: bytes | None = b"x-workspace-id"
    query: bytes | None = None
    uuid_only: bool = False


def asked_workspace(
    source: WorkspaceSource, sent: Mapping[bytes, bytes], query: bytes, *, path: str | None, claim: str | None
) -> str | None:
    """The workspace the request names, normalised, or ``None``. ``claim`` and ``path``: what token and route say.

    Raises ``BadRequest`` if a name cannot be an id, is there twice, or two places disagree.
    """
    header = None if source.header is None else sent.get(canonical_name(source.header))
    in_query = query_value(query, source.query) if source.query is not None and query else None
    if header is None and in_query is None and path is None:
        return claim
    named = [_parse(value, source.uuid_only) for value in (header, in_query) if value is not None]
    if path is not None:
        named.append(_parse(path.encode(), source.uuid_only))
    if claim is not None:
        named.append(claim)
    if any(one != named[0] for one in named):
        raise BadRequest("The request names two different workspaces (header, query, path, token). Name one.")
    return named[0]


@lru_cache(maxsize=16_384)
def _parse(value: bytes, uuid_only: bool) -> str:  # noqa: FBT001  (a cached function's key)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    found = canonical_uuid(text) if uuid_only else normalise_id(text)
    if found is None:
        raise BadRequest(
            f"The workspace id is malformed: {'it must be a UUID' if uuid_only else 'it cannot be an id'}."
        )
    return found
