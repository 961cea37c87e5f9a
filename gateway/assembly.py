"""From checked settings to the values that requests are served with. Nothing here opens a socket or a file."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from gateway.catalog.merge import Configured, Merged, merge
from gateway.core.bucket import Refill
from gateway.core.forwarding import Forwarding
from gateway.core.hop_by_hop import key_of
from gateway.core.override import OVERRIDES
from gateway.core.rate_limit_fields import FieldFamilies
from gateway.core.rules import RuleTable
from gateway.identity.api_keys import ApiKey
from gateway.identity.config import IdentityConfig, JwtCarriers, KeyCarriers
from gateway.identity.issuers import Issuer, KeySource
from gateway.identity.jwks import Patience
from gateway.identity.key_sites import KeySite, KeySites
from gateway.identity.keys import secret_keys
from gateway.identity.peers import PeerIdentity
from gateway.identity.policy_probe import PolicyQuestion
from gateway.identity.probe import Question
from gateway.identity.telling import Telling
from gateway.identity.workspace import WorkspaceSource
from gateway.ledger import bounds
from gateway.ledger.open import Shared
from gateway.metering.snapshot import Snapshot
from gateway.proxy.pool import Connections
from gateway.proxy.request_head import Route
from gateway.settings import convert
from gateway.settings.models import Settings
from gateway.settings.tokens import JwtSettings
from gateway.store.rows import Stock
from gateway.tasks import Tasks


def build_snapshot(settings: Settings, now_us: int, merged: Merged | None = None) -> Snapshot:
    """What metering needs. ``merged``: with what the store has; ``None``: there is no store.

    Raises ``RuleErrors`` with everything that is wrong with the rules.
    """
    merged = merged or merge(configured(settings), Stock(), None)
    headers = settings.headers
    return Snapshot(
        loaded_us=now_us,
        profile=convert.profile(settings),
        rules=merged.rules,
        catalog=merged.catalog,
        cascade=tuple(settings.cascade),
        on_store_failure=settings.on_store_failure,
        own_prefixes=convert.own_prefixes(settings),
        honours=frozenset(name.lower().encode() for name in settings.upstream.honours),
        workspace_param=settings.workspace.param,
        workspace_map=convert.workspace_map(settings),
        families=FieldFamilies(wacraft=headers.wacraft, ietf=headers.ietf, cost=headers.cost),
        dialect=settings.errors,
        allow_origin=settings.cors.allow_origin,
        buy_url=settings.buy_url,
        strip_bytes=settings.limits.strip_bytes,
    )


def configured(settings: Settings) -> Configured:
    """Plans and rules as the configuration has them. Raises ``RuleErrors`` with everything that is wrong with these."""
    profile, own = convert.profile(settings), convert.own_prefixes(settings)
    held = defaultdict(list)
    for subscription in convert.subscriptions(settings):
        held[subscription.scope].append(subscription)
    return Configured(
        plans=convert.plans(settings),
        defaults=convert.defaults(settings),
        fallback=convert.fallback(settings),
        subscriptions={scope: tuple(found) for scope, found in held.items()},
        rules=RuleTable.compile(convert.rules(settings), profile, own_prefixes=own),
        profile=profile,
        own_prefixes=own,
        silent=frozenset({"user"} - settings.defaults.model_fields_set),
    )


def identity_config(
    settings: Settings, fetched: Callable[[KeySite], KeySource] | None = None, *, more_keys: bool = False
) -> IdentityConfig:
    """How requests prove who they are. ``fetched``: the keys of a site; ``None``: only the configuration is looked at.

    ``more_keys``: API keys that the configuration does not list will be put into the authenticator.
    Raises ``ValueError`` for what cannot work.
    """
    identity, workspace = settings.identity, settings.workspace
    keys_of = KeySites(Tasks()).keys if fetched is None else fetched
    return IdentityConfig(
        issuers=tuple(_issuer(jwt, workspace.claim, keys_of, settings.admins.claim) for jwt in identity.jwt),
        jwt=_carriers(identity.jwt),
        api_keys=file_keys(settings) or (() if more_keys else None),
        key=KeyCarriers(header=identity.api_key_header.encode()),
        peers=None
        if identity.peers is None
        else PeerIdentity(
            networks=tuple(map(str, identity.peers.networks)),
            user_header=identity.peers.user_header.encode(),
            workspace_header=_bytes(identity.peers.workspace_header),
            role_header=_bytes(identity.peers.role_header),
        ),
        telling=Telling(
            user_header=_bytes(identity.tell.user_header),
            workspace_header=_bytes(identity.tell.workspace_header),
            role_header=_bytes(identity.tell.role_header),
        ),
        workspace=WorkspaceSource(
            header=_bytes(workspace.header),
            query=_bytes(workspace.query),
        ),
        anonymous=identity.anonymous,
        trusted_proxies=identity.trusted_proxies,
    )


def file_keys(settings: Settings) -> tuple[ApiKey, ...]:
    """The API keys of the configuration."""
    return tuple(
        ApiKey(
            id=key.id,
            sha256=key.hash.removeprefix("sha256:"),
            user=key.user,
            workspace=key.workspace,
            expires_us=key.expires,
        )
        for key in settings.identity.api_keys
    )


def key_sites(settings: Settings) -> frozenset[KeySite]:
    """Where issuers publish their keys."""
    return frozenset(site for jwt in settings.identity.jwt if (site := _site(jwt)) is not None)


def _issuer(
    jwt: JwtSettings,
    workspace_claim: str | None,
    fetched: Callable[[KeySite], KeySource],
    admins: Mapping[str, str],
) -> Issuer:
    keys: KeySource
    if (site := _site(jwt)) is not None:
        keys = fetched(site)
    elif jwt.secret is not None:
        keys = secret_keys(jwt.secret.get_secret_value().encode(), jwt.algorithms)
    else:
        from gateway.identity.public_keys import public_keys  # noqa: PLC0415  (see there)

        keys = public_keys((jwt.public_key or "").encode(), jwt.algorithms)
    return Issuer(
        keys=keys,
        algorithms=frozenset(jwt.algorithms),
        name=jwt.issuer,
        audience=frozenset(jwt.audience or ()),
        user_claim=jwt.user_claim,
        user_prefix=jwt.user_prefix or "",
        role_claim=jwt.role_claim,
        workspace_claim=jwt.workspace_claim or workspace_claim,
        admin_claims=admins,
        leeway_us=jwt.leeway,
    )


def _site(jwt: JwtSettings) -> KeySite | None:
    jwks = jwt.jwks
    if jwks is None:
        return None
    patience = Patience(fresh_us=jwks.cache, stale_us=jwks.stale, retry_us=jwks.retry, timeout_us=jwks.timeout)
    return KeySite(jwks.url, jwt.algorithms, patience, jwks.ca)


def _carriers(issuers: Sequence[JwtSettings]) -> JwtCarriers:
    """Where tokens travel: a token is judged by its issuer, whichever way it came."""
    return JwtCarriers(
        headers=_named(jwt.header for jwt in issuers),
        cookies=_named(jwt.cookie for jwt in issuers),
        queries=_named(jwt.query for jwt in issuers),
    )


def _bytes(name: str | None) -> bytes | None:
    return None if name is None else name.encode()


def _named(names: Iterable[str | None]) -> tuple[bytes, ...]:
    """Each name once, in the order of the configuration."""
    return tuple(dict.fromkeys(name.encode() for name in names if name is not None))


def question(settings: Settings) -> Question:
    """What the upstream is asked about a caller's workspace."""
    probe, header = settings.workspace.probe, settings.workspace.header
    return Question(
        path=probe.path,
        name=probe.name,
        header=(header or "X-Workspace-ID").encode(),
        timeout_us=probe.timeout,
        fresh_us=probe.cache,
    )


def policy_question(settings: Settings) -> PolicyQuestion:
    """What the upstream is asked about what a caller may do in a workspace."""
    probe, header = settings.workspace.probe, settings.workspace.header
    return PolicyQuestion(
        path=probe.policies or "",
        header=None if header is None else header.encode(),
        timeout_us=probe.timeout,
        fresh_us=probe.cache,
    )


def route(settings: Settings, pool: Connections, carriers: frozenset[bytes]) -> Route:
    """Where requests go and what goes with them. ``carriers``: keys of the fields that say who is asking."""
    workspace, own = settings.workspace.header, own_fields(settings)
    names = frozenset(key_of(name) for name, _ in own)
    honoured = frozenset(key_of(name.encode()) for name in settings.upstream.honours)
    return Route(
        pool,
        forwarding(settings),
        protected=carriers | OVERRIDES | names | (frozenset() if workspace is None else {key_of(workspace.encode())}),
        removed=(OVERRIDES - honoured) | names,
        head_bytes=settings.upstream.head_bytes,
        own=b"".join([b"%b: %b\r\n" % field for field in own]),
    )


def own_fields(settings: Settings) -> list[tuple[bytes, bytes]]:
    """What the operator has the gateway say to the upstream."""
    return [(name.encode(), value.get_secret_value().encode()) for name, value in settings.upstream.headers.items()]


def forwarding(settings: Settings) -> Forwarding:
    """How the upstream is told about the client."""
    upstream = settings.upstream
    return Forwarding(
        style=upstream.forwarded,
        trusted_proxies=settings.identity.trusted_proxies,
        host=None if upstream.preserve_host else upstream.authority.encode(),
    )


def shared(settings: Settings) -> Shared:
    """How a ledger that others share is used."""
    ledger = settings.ledger
    return Shared(ledger.prefix, ledger.timeout.seconds, leased=ledger.mode == "leased")


def bounds_of(settings: Settings) -> list[str]:
    """By how many units a ledger that others share can be off, one sentence each; nothing for one of our own."""
    ledger = settings.ledger
    if not ledger.shared:
        return []
    leased = ledger.mode == "leased"
    policies = [settings.on_store_failure, *(rule.on_store_failure for rule in settings.rules if rule.on_store_failure)]
    held = [
        bounds.held_sentence(plan.slug, plan.limits[0].amount)
        if len(plan.limits) == 1 and plan.limits[0].refill is Refill.INTERVAL
        else bounds.exact_sentence(plan.slug)
        for plan in convert.plans(settings).values()
        if leased and any(limit.amount > 0 for limit in plan.limits) and not plan.unlimited
    ]
    return [*(bounds.sentence(each) for each in bounds.bounds(leased=leased, policies=policies)), *held]
