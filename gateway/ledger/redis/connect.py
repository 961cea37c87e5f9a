"""Clients of redis-py for a place. It would send again by itself what got no answer, ten times: never here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.connection import ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.core.redis_place import Place
from gateway.ledger.redis.carriers import ClusterCarrier, WireCarrier
from gateway.ledger.redis.servers import ClusterServers, OneServer, Servers

CONNECTIONS = 16
"""More than ``AT_ONCE``: one of them listens, and one that failed is let go a moment later."""

Options = dict[str, Any]


def carrier_to(place: Place, servers: Servers, timeout_s: float) -> WireCarrier | ClusterCarrier:
    """What carries plain debits to the servers of ``place``; nothing is connected yet."""
    if not isinstance(servers, OneServer):
        return ClusterCarrier(servers)

    async def found() -> tuple[str, int]:
        return place.hosts[0] if place.kind == "single" else await servers.primary(place.service)

    return WireCarrier(place, servers, found, timeout_s)


def servers_at(place: Place, timeout_s: float) -> Servers:
    """What talks to ``place``; nothing is connected yet. Each call may take ``timeout_s``."""
    patience: Options = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
    }
    common = {**patience, "username": place.username, "password": place.password, "client_name": "weighbridge"}
    match place.kind:
        case "cluster":
            return _cluster(place, common)
        case "sentinel":
            return _behind_sentinels(place, common, patience)
        case "single":
            return _single(place, common)


class Node(NamedTuple):
    """One server of several, and how it is asked. ``role``: ``primary`` or ``replica``."""

    name: str
    role: str
    client: Redis


@asynccontextmanager
async def nodes_at(place: Place, timeout_s: float) -> AsyncIterator[list[Node]]:
    """Every server there is of ``place``: those of a cluster, or the primary that Sentinels name, and their replicas.

    Raises ``RedisError`` or ``OSError``.
    """
    patience: Options = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
    }
    common = {**patience, "username": place.username, "password": place.password}
    async with AsyncExitStack() as stack:
        found: list[Node] = []
        for role, host, port in await _addresses(place, common, patience):
            client: Any = Redis(host=host, port=port, **common, **_tls(place))
            stack.push_async_callback(client.aclose)
            found.append(Node(f"{host}:{port}", role, client))
        yield found


async def _addresses(place: Place, common: Options, patience: Options) -> list[tuple[str, str, int]]:
    if place.kind == "sentinel":
        asked = {**patience, "password": place.sentinel_password, **_tls(place)}
        sentinel: Any = Sentinel(place.hosts, sentinel_kwargs=asked)  # type: ignore[no-untyped-call]
        try:
            primary = await sentinel.discover_master(place.service)
            replicas = await sentinel.discover_slaves(place.service)
        finally:
            for each in sentinel.sentinels:
                await each.aclose(close_connection_pool=True)
        return [("primary", *primary), *(("replica", *each) for each in replicas)]
    cluster: Any = RedisCluster(host=place.hosts[0][0], port=place.hosts[0][1], **common, **_tls(place))
    try:
        await cluster.initialize()
        nodes = cluster.get_nodes()
        return sorted(
            ("primary" if each in cluster.get_primaries() else "replica", each.host, each.port) for each in nodes
        )
    finally:
        await cluster.aclose()


def _single(place: Place, common: Options) -> Servers:
    if place.path is not None:
        where: Options = {"connection_class": UnixDomainSocketConnection, "path": place.path}
    else:
        ((host, port),) = place.hosts
        where = {"host": host, "port": port}
        if place.tls:
            where |= {"connection_class": SSLConnection, "ssl_ca_certs": place.ca}
    pool = ConnectionPool(db=place.db, max_connections=CONNECTIONS, **where, **common)
    return OneServer(Redis(connection_pool=pool))


def _behind_sentinels(place: Place, common: Options, patience: Options) -> Servers:
    asked = {**patience, "password": place.sentinel_password, **_tls(place)}
    options: Options = {**common, **_tls(place), "db": place.db, "max_connections": CONNECTIONS}
    sentinel: Any = Sentinel  # not typed
    found = sentinel(place.hosts, sentinel_kwargs=asked)
    return OneServer(found.master_for(place.service, **options), found)


def _cluster(place: Place, common: Options) -> Servers:
    host, port = place.hosts[0]
    options: Options = {**common, **_tls(place), "max_connections": CONNECTIONS}
    return ClusterServers(RedisCluster(host=host, port=port, **options), {**common, **_tls(place)})


def _tls(place: Place) -> Options:
    return {"ssl": True, "ssl_ca_certs": place.ca} if place.tls else {}
