"""What a Redis has to be set to so that budgets are safe in it, and what is at risk where it is not."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from redis.exceptions import RedisError, ResponseError

from gateway.core.redis_place import place_of
from gateway.ledger.redis.connect import servers_at
from gateway.ledger.redis.servers import Servers

PATIENCE_S = 5.0


class Finding(NamedTuple):
    """One look at the server. ``risk``: what can happen; ``mend``: what to set."""

    verdict: Literal["good", "risk", "bad"]
    what: str
    risk: str = ""
    mend: str = ""


async def examine(url: str) -> list[Finding]:
    """Look at the Redis at ``url``. Never raises for a server that cannot be asked: that is a finding."""
    servers = servers_at(place_of(url), PATIENCE_S)
    try:
        return await _examine(servers)
    except (RedisError, OSError, TimeoutError) as error:
        why = type(error).__name__
        return [Finding("bad", f"Redis cannot be asked ({why})", "on_store_failure applies", "check ledger.url")]
    finally:
        await servers.close()


async def _examine(servers: Servers) -> list[Finding]:
    version = _text(await servers.ask("INFO", "server"), "redis_version")
    found = [Finding("good", f"Redis {version} answers")]
    found.append(_eviction(await _setting(servers, "maxmemory-policy"), await _setting(servers, "maxmemory")))
    found.append(_durability(await _setting(servers, "appendonly"), await _setting(servers, "appendfsync")))
    role = _text(await servers.ask("INFO", "replication"), "role")
    if role != "master":
        found.append(
            Finding("bad", f"it is a {role}", "nothing can be charged there", "let ledger.url name the primary")
        )
    return found


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


def _durability(appendonly: str | None, fsync: str | None) -> Finding:
    if appendonly is None:
        return Finding("risk", "appendonly cannot be read", "a restart may empty Redis", "see that it is yes")
    if appendonly != "yes":
        return Finding(
            "bad",
            "appendonly no",
            "a restart empties Redis: budgets are filled from the journals, and what those do not know is free",
            "CONFIG SET appendonly yes",
        )
    if fsync == "always":
        return Finding("good", "appendonly yes, appendfsync always")
    return Finding(
        "risk",
        f"appendonly yes, appendfsync {fsync}",
        "a power cut loses the charges of the last second (everysec) or of half a minute (no)",
        "appendfsync always, where a second of free requests is too much",
    )


async def _setting(servers: Servers, name: str) -> str | None:
    """A setting; ``None``: the server does not tell (managed ones may not)."""
    try:
        found = await servers.ask("CONFIG", "GET", name)
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
