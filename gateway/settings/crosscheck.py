"""What one section says about another: names that must exist, settings that would do nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.problems import BadRequest
from gateway.core.rules import RuleErrors, RuleTable
from gateway.settings import convert
from gateway.settings.base import Fault
from gateway.settings.places import Source
from gateway.settings.problems import nearest
from gateway.settings.units import Address, UnixAddress

if TYPE_CHECKING:
    from gateway.settings.models import Settings


@dataclass(frozen=True, slots=True)
class Known:
    """``partial``: broken parts were left out, so what seems to do nothing may have been meant for them."""

    source: Source = field(default_factory=Source)
    partial: bool = False


def faults(settings: "Settings", known: Known) -> list[Fault]:
    """Everything that is wrong between sections."""
    found = [*_slugs(settings), *_cascade(settings), *_prefixes(settings), *_carriers(settings), *_listeners(settings)]
    found += [*_payments(settings), *_files(settings), *_leases(settings), *_mapped(settings)]
    found += _rules(settings, known.source)
    return found if known.partial else [*found, *_useless(settings)]


def payers(settings: "Settings") -> frozenset[str]:
    """The kinds of scopes that are ever asked to pay."""
    named = {kind for rule in settings.rules for kind in rule.pays or ()}
    return frozenset(named.union(settings.cascade))


def _slugs(settings: "Settings") -> Iterator[Fault]:
    slugs: dict[str, int] = {}
    for index, plan in enumerate(settings.plans):
        if slugs.setdefault(plan.slug, index) != index:
            yield Fault(("plans", index, "slug"), f"another plan is called '{plan.slug}'")
    uses: list[tuple[tuple[str | int, ...], str | None]] = [
        (("defaults", kind), getattr(settings.defaults, kind)) for kind in ("workspace", "user", "address")
    ]
    uses.append((("fallback", "plan"), settings.fallback.plan))
    uses += [(("subscriptions", index, "plan"), held.plan) for index, held in enumerate(settings.subscriptions)]
    for at, slug in uses:
        if slug is not None and slug not in slugs:
            meant = nearest(slug, slugs)
            yield Fault(at, f"there is no plan '{slug}'" + (f"; did you mean '{meant}'?" if meant else ""))


def _payments(settings: "Settings") -> Iterator[Fault]:
    if settings.payments.stripe is not None and settings.store is None:
        yield Fault(("payments", "stripe"), "needs a store, for what is sold")
    kind, _, slug = settings.payments.past_due.then.partition(" ")
    if kind == "plan" and slug not in {plan.slug for plan in settings.plans}:
        yield Fault(("payments", "past_due", "then"), f"there is no plan '{slug}'")


def _cascade(settings: "Settings") -> Iterator[Fault]:
    if not settings.cascade:
        yield Fault(("cascade",), "must name somebody, or every request with a weight is refused")
    if len(set(settings.cascade)) < len(settings.cascade):
        yield Fault(("cascade",), "names somebody twice")


def _prefixes(settings: "Settings") -> Iterator[Fault]:
    own = {name: _segments(getattr(settings.prefixes, name)) for name in ("api", "admin", "internal")}
    for name, prefix in own.items():
        for other, longer in own.items():
            if name != other and longer[: len(prefix)] == prefix:
                yield Fault(("prefixes", other), f"lies under prefixes.{name}")


def _rules(settings: "Settings", source: Source) -> list[Fault]:
    """What the compiler of the rules says, so that it is said together with everything else."""
    rules = convert.rules_of(settings.rules, source)
    index = {id(rule): at for at, rule in enumerate(rules)}
    try:
        RuleTable.compile(rules, convert.profile(settings), own_prefixes=convert.own_prefixes(settings))
    except RuleErrors as errors:
        return [Fault(("rules", index[id(error.rule)]), error.message.rstrip(".")) for error in errors.errors]
    return []


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.lower().strip("/").split("/"))


def _carriers(settings: "Settings") -> Iterator[Fault]:
    """Two meanings for one header would make every request ambiguous."""
    identity, peers = settings.identity, settings.identity.peers
    used: list[tuple[tuple[str | int, ...], str | None]] = [
        *((("identity", "jwt", at, "header"), jwt.header) for at, jwt in enumerate(identity.jwt)),
        (("identity", "api_key_header"), identity.api_key_header if identity.api_keys else None),
        (("identity", "peers", "user_header"), None if peers is None else peers.user_header),
        (("identity", "peers", "workspace_header"), None if peers is None else peers.workspace_header),
        (("identity", "peers", "role_header"), None if peers is None else peers.role_header),
        *((at, header) for at, header in _told(settings) if not _heard(settings, at[-1], header)),
        (("workspace", "header"), settings.workspace.header),
    ]
    seen: dict[str, str] = {}
    for at, header in used:
        if header is not None:
            name = ".".join(step for step in at if isinstance(step, str))
            first = seen.setdefault(_key(header), name)
            if first != name:
                yield Fault(at, f"is the same header as {first}")
    tell = settings.identity.tell
    told = {
        _key(header) for header in (tell.user_header, tell.workspace_header, tell.role_header) if header is not None
    }
    for name in settings.upstream.headers:
        if _key(name) in told:
            yield Fault(("upstream", "headers", name), "is a header of identity.tell")
        if settings.workspace.header is not None and _key(name) == _key(settings.workspace.header):
            yield Fault(("upstream", "headers", name), "is workspace.header: one would pay and another act")


def _told(settings: "Settings") -> Iterator[tuple[tuple[str, ...], str]]:
    """The headers in which the upstream is told who asks."""
    for name in ("user_header", "workspace_header", "role_header"):
        if (header := getattr(settings.identity.tell, name)) is not None:
            yield ("identity", "tell", name), header


def _heard(settings: "Settings", name: str, header: str) -> bool:
    """Whether a believed peer uses ``header`` for the same: then it is only said anew."""
    heard = getattr(settings.identity.peers, name, None)
    return heard is not None and _key(heard) == _key(header)


def _key(header: str) -> str:
    return header.lower().replace("_", "-")


def _listeners(settings: "Settings") -> Iterator[Fault]:
    main, own = settings.listen, settings.metrics.listen
    if own == main and not (isinstance(main, Address) and main.port == 0):
        yield Fault(("metrics", "listen"), "is the same address as listen; leave it out to share the port")


def _files(settings: "Settings") -> Iterator[Fault]:
    """Two databases in one file would each refuse the other's tables."""
    ledger = settings.ledger
    journal = ledger.journal if ledger.shared else ledger.url
    if settings.store is not None and _resolved(settings.store) == _resolved(str(journal)):
        yield Fault(("store",), "is the same file as ledger; the two are kept apart")


def _resolved(url: str) -> str:
    """A file's URL by where the file is in the end: two spellings, or a link, are one file."""
    scheme, slashes, path = url.partition(":///")
    return f"{scheme}{slashes}{Path(path).resolve()}" if slashes and scheme.startswith("sqlite") else url


def _leases(settings: "Settings") -> Iterator[Fault]:
    if settings.workers != 1 and not settings.ledger.shared:
        what = (
            "more than one needs ledger: redis://…, because processes that each count for themselves give every budget "
        )
        yield Fault(("workers",), what + "away once for each of them")
    if settings.ledger.mode == "leased":
        return
    what = "lease needs ledger.mode: leased, so that there is something to spend; else open or closed"
    if settings.on_store_failure == "lease":
        yield Fault(("on_store_failure",), what)
    for index, rule in enumerate(settings.rules):
        if rule.on_store_failure == "lease":
            yield Fault(("rules", index, "on_store_failure"), what)


def _useless(settings: "Settings") -> Iterator[Fault]:
    asked = payers(settings)
    for kind in ("workspace", "user", "address"):
        if kind not in asked and getattr(settings.defaults, kind) is not None:
            yield Fault(("defaults", kind), f"does nothing: neither cascade nor a rule's pays names {kind}")
    for index, held in enumerate(settings.subscriptions):
        if held.scope not in asked:
            at = ("subscriptions", index, "scope")
            yield Fault(at, f"does nothing: neither cascade nor a rule's pays names {held.scope}")
    for index, rule in enumerate(settings.rules):
        if rule.fallback and settings.fallback.plan is None:
            yield Fault(("rules", index, "fallback"), "does nothing without fallback.plan")
    yield from _useless_sources(settings)
    yield from _useless_places(settings)


def _useless_places(settings: "Settings") -> Iterator[Fault]:
    main, own, proxied = settings.listen, settings.metrics.listen, settings.proxy_protocol
    if settings.listen_mode != "0660" and not any(isinstance(place, UnixAddress) for place in (main, own)):
        yield Fault(("listen_mode",), "does nothing: no listen is a Unix socket")
    if proxied is not None and isinstance(main, UnixAddress) == bool(proxied.networks):
        on_socket = "does nothing with a Unix socket, where everybody must begin with the header"
        yield Fault(("proxy_protocol", "networks"), on_socket if proxied.networks else "must name the load balancers")


def _useless_sources(settings: "Settings") -> Iterator[Fault]:
    workspace = settings.workspace
    if workspace.claim is not None and not settings.identity.jwt:
        yield Fault(("workspace", "claim"), "does nothing without identity.jwt, whose tokens have claims")
    yield from _useless_admins(settings)
    named = [frozenset(_params(rule.path)) for rule in settings.rules]
    if workspace.param is not None and not any(workspace.param in params for params in named):
        yield Fault(("workspace", "param"), f"does nothing: no rule's path has {{{workspace.param}}}")
    for param in workspace.map:
        if not any(param in params for params in named):
            yield Fault(("workspace", "map", param), f"does nothing: no rule's path has {{{param}}}")
    for index, (rule, params) in enumerate(zip(settings.rules, named, strict=True)):
        naming = params & {*workspace.map, workspace.param}
        if len(naming) > 1:
            yield Fault(("rules", index, "path"), f"names the workspace in several ways: {', '.join(sorted(naming))}")
        if rule.public and rule.pays == ("workspace",) and not naming:
            what = "pays workspace, and no part of the path names one: see workspace.param and workspace.map"
            yield Fault(("rules", index, "pays"), what)


def _useless_admins(settings: "Settings") -> Iterator[Fault]:
    for name, why in (("claim", "whose tokens have claims"), ("upstream", "whose tokens the upstream knows")):
        if getattr(settings.admins, name) and not settings.identity.jwt:
            yield Fault(("admins", name), f"does nothing without identity.jwt, {why}")


def _params(path: str) -> Iterator[str]:
    """The names of a pattern's parameters, ``{name}`` or ``:name``."""
    for piece in path.split("/"):
        if piece.startswith(":") or (piece.startswith("{") and piece.endswith("}")):
            yield piece.strip(":{}")


def _mapped(settings: "Settings") -> Iterator[Fault]:
    """Values that no path can hold, or that are one value to the upstream's router."""
    read_by = convert.profile(settings)
    for param, values in settings.workspace.map.items():
        seen: dict[str, str] = {}
        for value in values:
            at = ("workspace", "map", param, value)
            try:
                first = seen.setdefault(convert.segment(value, read_by), value)
            except BadRequest as refused:
                yield Fault(at, f"no request can have this in its path. {refused}".rstrip("."))
                continue
            if first != value:
                yield Fault(at, f"is '{first}' to the upstream's router")
