"""From checked settings to the values that requests are served with. Nothing here opens a socket or a file."""

from collections import defaultdict

from gateway.core.forwarding import Forwarding
from gateway.core.rate_limit_fields import FieldFamilies
from gateway.core.rules import RuleTable
from gateway.identity.api_keys import ApiKey
from gateway.identity.config import IdentityConfig, JwtCarriers, KeyCarriers
from gateway.identity.jwt import Issuer
from gateway.identity.keys import public_keys, secret_keys
from gateway.identity.peers import PeerIdentity
from gateway.identity.probe import Question
from gateway.identity.workspace import WorkspaceSource
from gateway.metering.snapshot import Catalog, Snapshot
from gateway.proxy.client_connection import ClientLimits
from gateway.proxy.pool import PoolLimits
from gateway.proxy.request_parser import HeadLimits
from gateway.settings import convert
from gateway.settings.identity import JwtSettings
from gateway.settings.models import Settings


def build_snapshot(settings: Settings, now_us: int) -> Snapshot:
    """What metering needs. Raises ``RuleErrors`` with everything that is wrong with the rules."""
    profile, own = convert.profile(settings), convert.own_prefixes(settings)
    headers = settings.headers
    return Snapshot(
        loaded_us=now_us,
        profile=profile,
        rules=RuleTable.compile(convert.rules(settings), profile, own_prefixes=own),
        catalog=_catalog(settings),
        cascade=tuple(settings.cascade),
        on_store_failure=settings.on_store_failure,
        own_prefixes=own,
        honours=frozenset(name.lower().encode() for name in settings.upstream.honours),
        workspace_param=settings.workspace.param,
        families=FieldFamilies(wacraft=headers.wacraft, ietf=headers.ietf, cost=headers.cost),
        dialect=settings.errors,
        allow_origin=settings.cors.allow_origin,
        buy_url=settings.buy_url,
    )


def _catalog(settings: Settings) -> Catalog:
    held = defaultdict(list)
    for subscription in convert.subscriptions(settings):
        held[subscription.scope].append(subscription)
    return Catalog(
        plans=convert.plans(settings),
        defaults=convert.defaults(settings),
        fallback=convert.fallback(settings),
        subscriptions={scope: tuple(found) for scope, found in held.items()},
    )


def identity_config(settings: Settings) -> IdentityConfig:
    """How requests prove who they are. Raises ``ValueError`` for what cannot work."""
    identity, workspace = settings.identity, settings.workspace
    jwt = identity.jwt
    return IdentityConfig(
        issuers=() if jwt is None else (_issuer(jwt, workspace.claim),),
        jwt=JwtCarriers() if jwt is None else _carriers(jwt),
        api_keys=tuple(
            ApiKey(
                id=key.id,
                sha256=key.hash.removeprefix("sha256:"),
                user=key.user,
                workspace=key.workspace,
                expires_us=key.expires,
            )
            for key in identity.api_keys
        )
        or None,
        key=KeyCarriers(header=identity.api_key_header.encode()),
        peers=None
        if identity.peers is None
        else PeerIdentity(
            networks=tuple(map(str, identity.peers.networks)),
            user_header=identity.peers.user_header.encode(),
            workspace_header=None
            if identity.peers.workspace_header is None
            else identity.peers.workspace_header.encode(),
        ),
        workspace=WorkspaceSource(
            header=None if workspace.header is None else workspace.header.encode(),
            query=None if workspace.query is None else workspace.query.encode(),
        ),
        anonymous=identity.anonymous,
        trusted_proxies=identity.trusted_proxies,
    )


def _issuer(jwt: JwtSettings, workspace_claim: str | None) -> Issuer:
    keys = (
        secret_keys(jwt.secret.get_secret_value().encode(), jwt.algorithms)
        if jwt.secret is not None
        else public_keys((jwt.public_key or "").encode(), jwt.algorithms)
    )
    return Issuer(
        keys=keys,
        algorithms=frozenset(jwt.algorithms),
        name=jwt.issuer,
        audience=frozenset() if jwt.audience is None else frozenset({jwt.audience}),
        user_claim=jwt.user_claim,
        workspace_claim=workspace_claim,
        leeway_us=jwt.leeway,
    )


def _carriers(jwt: JwtSettings) -> JwtCarriers:
    return JwtCarriers(
        headers=() if jwt.header is None else (jwt.header.encode(),),
        cookies=() if jwt.cookie is None else (jwt.cookie.encode(),),
        queries=() if jwt.query is None else (jwt.query.encode(),),
    )


def question(settings: Settings) -> Question:
    """What the upstream is asked about a caller's workspace."""
    probe, header = settings.workspace.probe, settings.workspace.header
    return Question(
        path=probe.path,
        header=(header or "X-Workspace-ID").encode(),
        timeout_us=probe.timeout,
        fresh_us=probe.cache,
    )


def forwarding(settings: Settings) -> Forwarding:
    """How the upstream is told about the client."""
    upstream = settings.upstream
    return Forwarding(
        style=upstream.forwarded,
        trusted_proxies=settings.identity.trusted_proxies,
        host=None if upstream.preserve_host else _authority(settings),
    )


def _authority(settings: Settings) -> bytes:
    host, port = settings.upstream.host, settings.upstream.port
    shown = f"[{host}]" if ":" in host else host
    return (shown if port == 80 else f"{shown}:{port}").encode()  # noqa: PLR2004  (http's own port)


def pool_limits(settings: Settings) -> PoolLimits:
    """How many connections to the upstream."""
    upstream = settings.upstream
    return PoolLimits(connections=upstream.max_connections, idle_timeout=upstream.idle_timeout.seconds)


def client_limits(settings: Settings) -> ClientLimits:
    """What a client may ask of the gateway itself."""
    limits = settings.limits
    return ClientLimits(
        head=HeadLimits(limits.header_bytes, limits.header_count),
        head_timeout=limits.head_timeout.seconds,
        keepalive_timeout=limits.keepalive_timeout.seconds,
        body_timeout=limits.body_idle_timeout.seconds,
    )
