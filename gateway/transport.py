"""From checked settings to connections: where the gateway listens, and how it reaches the upstream."""

import ssl
import sys

from gateway.identity.address import Networks
from gateway.proxy import tls
from gateway.proxy.balance import Patience
from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.endpoint import Endpoint
from gateway.proxy.fleet import Fleet, FleetPolicy, Tally
from gateway.proxy.health import HealthCheck
from gateway.proxy.pool import PoolLimits
from gateway.proxy.request_parser import HeadLimits
from gateway.proxy.site import Place
from gateway.proxy.upstream import NEVER
from gateway.settings.certificates import digests_of, file_of, pair_of
from gateway.settings.models import Settings
from gateway.settings.units import Address, Duration, UnixAddress

_LONGEST_EJECTION = 30
"""Times ``eject_time``."""


def listener_context(settings: Settings) -> ssl.SSLContext | None:
    """What the listener shows of itself, from its files as they are now. Raises ``OSError``."""
    pair = pair_of(settings, "tls")
    return None if pair is None else tls.for_listener(pair)


def main_place(settings: Settings, shown: tls.ListenerTls | None, inherited: tuple[int, ...] = ()) -> Place:
    """Where clients connect. ``inherited``: descriptors of sockets that are bound there."""
    proxied, context = settings.proxy_protocol, None if shown is None else shown.context
    balancers = None if proxied is None else Networks([str(network) for network in proxied.networks])
    match settings.listen:
        case Address(host, port):
            return Place(host, port, tls=context, balancers=balancers, inherited=inherited)
        case UnixAddress(path):
            return Place(path=path, mode=_mode(settings), tls=context, balancers=balancers, inherited=inherited)


def metrics_place(settings: Settings, inherited: tuple[int, ...] = ()) -> Place | None:
    """Where metrics are, if at a place of their own: plain, because it is for neighbours."""
    match settings.metrics.listen:
        case Address(host, port):
            return Place(host, port, inherited=inherited)
        case UnixAddress(path):
            return Place(path=path, mode=_mode(settings), inherited=inherited)
        case None:
            return None


def _mode(settings: Settings) -> int:
    return int(settings.listen_mode, 8)


def client_limits(settings: Settings) -> ClientLimits:
    """What a client may ask of the gateway itself."""
    limits = settings.limits
    return ClientLimits(
        head=HeadLimits(limits.header_bytes, limits.header_count),
        body=limits.body_bytes or sys.maxsize,
        head_timeout=limits.head_timeout.seconds,
        keepalive_timeout=limits.keepalive_timeout.seconds,
        body_timeout=limits.body_idle_timeout.seconds,
        body_rate=limits.body_rate or 0,
        half_close=(limits.half_close or settings.upstream.read_timeout).seconds,
        requests=limits.connection_requests or sys.maxsize,
        age=_seconds(limits.connection_age),
    )


def _seconds(duration: Duration | None) -> float:
    return NEVER if duration is None else duration.seconds


def pool_limits(settings: Settings) -> PoolLimits:
    """What the connections to one address of the upstream may do."""
    upstream = settings.upstream
    return PoolLimits(
        connections=upstream.max_connections,
        idle_timeout=upstream.idle_timeout.seconds,
        requests=upstream.connection_requests or sys.maxsize,
        age=_seconds(upstream.connection_age),
        connect_timeout=upstream.connect_timeout.seconds,
        read_timeout=upstream.read_timeout.seconds,
        total_timeout=_seconds(upstream.total_timeout),
    )


def endpoints(settings: Settings) -> list[Endpoint]:
    """The upstream's URLs, each as it is reached. Raises ``OSError`` for files of TLS that cannot be used."""
    upstream, said = settings.upstream, settings.upstream.tls
    context = None
    if any(url.startswith("https:") for url in upstream.addresses):
        ca = file_of(settings, "upstream", "tls", "ca")
        context = tls.for_upstream(ca, pair_of(settings, "upstream", "tls"), verify=said.verify)
    return [Endpoint.parse(url, context, said.server_name) for url in upstream.addresses]


def same_upstream(old: Settings, new: Settings) -> bool:
    """Whether connections of the one can serve the other: the settings are alike, and the files they name."""
    section = ("upstream", "tls")
    return old.upstream == new.upstream and digests_of(old, *section) == digests_of(new, *section)


def fleet(settings: Settings, tally: Tally) -> Fleet:
    """The upstream's addresses with their connections. To be called inside the event loop. Raises ``OSError``."""
    upstream, health = settings.upstream, settings.upstream.health
    patience = Patience(
        failures=upstream.max_failures,
        eject_s=upstream.eject_time.seconds,
        longest_s=upstream.eject_time.seconds * _LONGEST_EJECTION,
        rise=health.healthy_after,
        fall=health.unhealthy_after,
    )
    check = None
    if health.path is not None:
        check = HealthCheck(health.path, health.interval.seconds, health.timeout.seconds)
    policy = FleetPolicy(upstream.retries, upstream.resolve.seconds, patience, check)
    return Fleet(endpoints(settings), pool_limits(settings), policy, tally)
