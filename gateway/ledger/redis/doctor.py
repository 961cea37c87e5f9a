"""What a Redis has to be set to so that budgets are safe in it, and what is at risk where it is not."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from redis.exceptions import RedisError, ResponseError

from gateway.core.redis_place import place_of
from gateway.ledger.redis.connect import Node, nodes_at, servers_at

PATIENCE_S = 5.0
Ask = Callable[..., Awaitable[Any]]
"""Sends one command to one server."""


class Finding(NamedTuple):
    """One look at the server. ``risk``: what can happen; ``mend``: what to set."""

    verdict: Literal["good", "risk", "bad"]
    what: str
    risk: str = ""
    mend: str = ""


async def examine(url: str) -> list[Finding]:
    """Look at every server of the Redis at ``url``. Never raises for one that cannot be asked: that is a finding."""
    place = place_of(url)
    try:
        if place.kind != "single":
            async with nodes_at(place, PATIENCE_S) as nodes:
                return [finding for node in nodes for finding in await _examine_node(node, nodes)]
        servers = servers_at(place, PATIENCE_S)
        try:
            return await _examine(servers.ask)
        finally:
            await servers.close()
    except (RedisError, OSError, TimeoutError) as error:
        return [_unheard(error)]


async def _examine_node(node: Node, nodes: Sequence[Node]) -> list[Finding]:
    """A replica is looked at as well: it is the primary of tomorrow."""
    try:
        found = await _examine(node.client.execute_command, node.role)
        if node.role == "primary" and len({each.role for each in nodes}) > 1:
            found.append(_cut_off(await setting(node.client.execute_command, "min-replicas-to-write")))
    except (RedisError, OSError, TimeoutError) as error:
        found = [_unheard(error)]
    return [finding._replace(what=f"{node.name}: {finding.what}") for finding in found]


def _unheard(error: Exception) -> Finding:
    return Finding(
        "bad", f"Redis cannot be asked ({type(error).__name__})", "on_store_failure applies", "check ledger.url"
    )


async def _examine(ask: Ask, expected: str = "primary") -> list[Finding]:
    version = _text(await ask("INFO", "server"), "redis_version")
    found = [Finding("good", f"Redis {version} answers")]
    found.append(_eviction(await setting(ask, "maxmemory-policy"), await setting(ask, "maxmemory")))
    saves = bool(await setting(ask, "save"))
    found.append(_durability(await setting(ask, "appendonly"), await setting(ask, "appendfsync"), saves=saves))
    role = _text(await ask("INFO", "replication"), "role")
    if role != "master" and expected == "primary":
        found.append(
            Finding("bad", f"it is a {role}", "nothing can be charged there", "let ledger.url name the primary")
        )
    return found


def _cut_off(wanted: str | None) -> Finding:
    if wanted not in (None, "0"):
        return Finding("good", f"min-replicas-to-write {wanted}")
    return Finding(
        "risk",
        f"min-replicas-to-write {'cannot be read' if wanted is None else wanted}",
        "a primary that is cut off from its replicas goes on charging, and that is forgotten when one takes over",
        "min-replicas-to-write 1 and min-replicas-max-lag 10: then at most ten seconds are",
    )


def _eviction(policy: str | None, memory: str | None) -> Finding:
    if policy is None:
        return Finding("risk", "maxmemory-policy cannot be read", "buckets may be evicted", "see that it is noeviction")
    if policy == "noeviction":
        return Finding("good", "maxmemory-policy noeviction")
    limit = "now" if memory not in (None, "0") else "once maxmemory is set"
    return Finding(
        "bad",
        f"maxmemory-policy {policy}",
        f"{limit}, a Redis that is full throws buckets away: whoever had spent a budget has it whole again",
        "CONFIG SET maxmemory-policy noeviction",
    )


def _durability(appendonly: str | None, fsync: str | None, *, saves: bool) -> Finding:
    """``saves``: it writes snapshots now and then."""
    if appendonly is None:
        return Finding("risk", "appendonly cannot be read", "a restart may empty Redis", "see that it is yes")
    if appendonly != "yes":
        if saves:
            risk = "a restart puts Redis back to its last snapshot: what was charged since and no journal knows is free"
        else:
            risk = "a restart empties Redis: budgets are filled from the journals, and what those do not know is free"
        return Finding("bad", "appendonly no", risk, "CONFIG SET appendonly yes")
    if fsync == "always":
        return Finding("good", "appendonly yes, appendfsync always")
    return Finding(
        "risk",
        f"appendonly yes, appendfsync {fsync}",
        "a power cut loses the charges of the last second (everysec) or of half a minute (no) that no journal knows",
        "appendfsync always, where a second of free requests is too much",
    )


async def setting(ask: Ask, name: str) -> str | None:
    """A setting; ``None``: the server does not tell (managed ones may not)."""
    try:
        found = await ask("CONFIG", "GET", name)
    except ResponseError:
        return None
    if isinstance(found, Mapping):
        found = [part for pair in found.items() for part in pair]
    texts = [part.decode() if isinstance(part, bytes) else str(part) for part in found]
    return texts[1] if len(texts) > 1 else None


def _text(info: Any, name: str) -> str:  # noqa: ANN401  (a mapping, or on a cluster one for each node)
    if isinstance(info, bytes):
        lines = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
        return lines.get(name, "unknown")
    return str(info.get(name, "unknown")) if isinstance(info, Mapping) else "unknown"
