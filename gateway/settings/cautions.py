"""What ``weighbridge check`` warns about: allowed, and probably not what was wanted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.settings.crosscheck import payers
from gateway.settings.tokens import JwtSettings
from gateway.settings.units import UnixAddress

if TYPE_CHECKING:
    from gateway.settings.models import Settings

SECRET_BYTES = 32
"""RFC 7518, 3.2: an HS256 key is at least as long as the hash."""
_FORGIVING = 60 * 1_000_000
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


def cautions(settings: "Settings") -> list[str]:
    """A sentence for each, naming the key."""
    return [*_identity(settings), *_budgets(settings), *_rules(settings), *_store(settings), *_payments(settings)]


def _identity(settings: "Settings") -> Iterator[str]:
    identity, workspace = settings.identity, settings.workspace
    if not identity.jwt and not identity.api_keys and identity.peers is None:
        yield "identity: nothing is configured, so every request is anonymous."
    for jwt in identity.jwt:
        yield from _tokens(jwt)
    if settings.admins.claim and len(identity.jwt) > 1:
        yield "admins.claim: a token of any of the issuers makes an admin, if it says so."
    several = settings.workers != 1 or settings.ledger.shared
    if settings.admins.hashed and settings.admins.token_secret is None and several:
        yield "admins.token_secret: none, and with an argon2 hash an admin's login is good in one process alone."
    people = {(jwt.issuer, jwt.user_prefix) for jwt in identity.jwt}
    if len(people) > len({prefix for _, prefix in people}):
        yield "identity.jwt: several issuers without a user_prefix of their own: users of one name are one user."
    if workspace.membership == "trust_clients" and "workspace" in payers(settings):
        yield "workspace.membership: trust_clients lets any user drain any workspace by naming it."
    if identity.anonymous == "public_only" and not any(rule.public for rule in settings.rules):
        yield "identity.anonymous: public_only, but no rule is public, so every anonymous request is refused."
    if "workspace" in settings.model_fields_set and "workspace" not in payers(settings):
        yield "workspace: no workspace is ever asked to pay, because neither cascade nor a rule's pays names it."


def _tokens(jwt: JwtSettings) -> Iterator[str]:
    if jwt.secret is not None and len(jwt.secret.get_secret_value().encode()) < SECRET_BYTES:
        yield f"identity.jwt.secret: shorter than {SECRET_BYTES} bytes, which can be guessed from one token."
    if jwt.leeway > _FORGIVING:
        yield "identity.jwt.leeway: tokens stay good for more than a minute after they expired."
    if jwt.jwks is None:
        return
    if jwt.jwks.url.startswith("http://") and urlsplit(jwt.jwks.url).hostname not in _THIS_MACHINE:
        yield "identity.jwt.jwks: over plain http anybody on the way can put in keys of their own."
    if jwt.issuer is None or jwt.audience is None:
        yield "identity.jwt.jwks: such keys may sign for others too: only issuer and audience tell which tokens count."


def _budgets(settings: "Settings") -> Iterator[str]:
    defaults = settings.defaults
    alone = settings.store is None  # else there may be others, which this file cannot know
    if alone and not settings.subscriptions and not any((defaults.workspace, defaults.user, defaults.address)):
        yield "defaults: nobody has a plan, so every request with a weight is refused."
    used = {defaults.workspace, defaults.user, defaults.address, settings.fallback.plan}
    used.update(held.plan for held in settings.subscriptions)
    for plan in settings.plans:
        if alone and plan.slug not in used:
            yield f"plans: nobody has '{plan.slug}'; neither defaults, subscriptions nor fallback name it."
        if plan.pack and plan.slug in (defaults.workspace, defaults.user, defaults.address, settings.fallback.plan):
            yield f"plans: '{plan.slug}' is a pack given to everybody: whoever has spent it never gets more."
    if defaults.workspace is not None and settings.workspace.membership == "upstream":
        yield (
            "defaults.workspace: a plan for every id that the upstream answers with 2xx at workspace.probe.path,"
            " whoever makes one up: 07 beside 7, if it reads both."
        )
    faceless = isinstance(settings.listen, UnixAddress) and settings.proxy_protocol is None
    if faceless and not settings.identity.trusted_proxies and "address" in payers(settings):
        yield "listen: a Unix socket has no client addresses, so whoever pays by address passes free."
    if settings.fallback.plan is not None and not any(rule.fallback for rule in settings.rules):
        yield "fallback.plan: no rule has fallback: true, so nothing is paid from it."


def _rules(settings: "Settings") -> Iterator[str]:
    for index, rule in enumerate(settings.rules):
        where = f"{settings.source.place('rules', index)}: {rule.method} {rule.path}"
        if provoked := [status for status in rule.refund_on if 300 <= status < 500]:  # noqa: PLR2004
            listed = ", ".join(map(str, provoked))
            yield f"{where}: refund_on {listed}: a caller can provoke it and work for free."
        if rule.public and rule.pays == ("workspace",):
            yield from _claimed(settings, where, rule.path)
        elif not rule.enforce:
            yield f"{where}: enforce: false counts and never refuses."
        if rule.weight and rule.pays == ("address",) and not _has_plan(settings, "address"):
            yield f"{where}: pays address, and addresses have no plan (defaults.address), so it is always refused."


def _claimed(settings: "Settings", where: str, path: str) -> Iterator[str]:
    for param, values in settings.workspace.map.items():
        if f"{{{param}}}" in path and not values:
            yield f"{where}: nobody pays for it, because workspace.map.{param} is empty."


def _has_plan(settings: "Settings", kind: str) -> bool:
    return getattr(settings.defaults, kind) is not None or any(held.scope == kind for held in settings.subscriptions)


def _store(settings: "Settings") -> Iterator[str]:
    if settings.ledger.path is None:
        yield "ledger: memory: keeps nothing, so every restart fills every budget."
    if settings.upstream.headers and settings.identity.anonymous == "forward":
        yield "upstream.headers: go with anonymous requests too, unless identity.anonymous is public_only or reject."
    if not settings.upstream.tls.verify:
        yield "upstream.tls.verify: false trusts any certificate: anybody on the way can read and change everything."
    if settings.upstream.honours:
        yield f"upstream.honours: {', '.join(settings.upstream.honours)} can turn a request into another one."


def _payments(settings: "Settings") -> Iterator[str]:
    stripe = settings.payments.stripe
    if stripe is None:
        return
    if settings.payments.return_origins is None:
        yield "payments.return_origins: null lets a checkout send its customer to any https page; list your own."
    if not stripe.webhook_secrets:
        yield "payments.stripe.webhook_secrets: none, so what is paid counts only once the sync has noticed."
    if stripe.demo:
        yield "payments.stripe.demo: nothing that is paid is real."
