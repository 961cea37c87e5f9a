"""The gateway's own prefixes, wired: which door a path leads to, and what the API is given to work with."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway import assembly
from gateway.api.call import Knock
from gateway.api.desk import Configuration, Desk, Facts
from gateway.api.entry import Api
from gateway.api.gate import Gate
from gateway.api.identity import Identity
from gateway.api.operations import Operations
from gateway.api.pace import Pace
from gateway.api.router import Router
from gateway.api.table import routes
from gateway.core.answers import Answer
from gateway.core.problems import NotFound
from gateway.core.target import Target
from gateway.identity.admin_login import AdminLogin
from gateway.identity.name_probe import NameProbe, NameQuestion
from gateway.identity.policy_probe import LONGEST_LIST, PolicyProbe
from gateway.identity.profile_probe import ProfileProbe, ProfileQuestion
from gateway.journal.history import History
from gateway.ledger.port import Ledger
from gateway.pages import FIELDS, Pages
from gateway.proxy.asker import UpstreamAsker
from gateway.proxy.body import read_body
from gateway.proxy.chronicle import Trip
from gateway.proxy.pool import Connections
from gateway.proxy.running import Live
from gateway.settings.admins import AdminsSettings
from gateway.settings.models import Settings
from gateway.settings.show import shown
from gateway.stocked import Stocked
from gateway.tasks import Tasks

if TYPE_CHECKING:  # a gateway without a store does not load SQLAlchemy
    from gateway.billing.sales import Sales
    from gateway.billing.sync import Syncer

_PATIENCE_S = 10.0
"""Above what each question allows itself."""
_TOKENS = "/user/oauth/token"

Door = Callable[[Trip, tuple[str, ...]], Awaitable[Answer]]
"""Answers a path below a prefix, given as lower-case segments."""


class OwnRoutes:
    """What lies under the gateway's own prefixes. ``configure`` it before the first request and at each reload."""

    def __init__(
        self, live: Live, stocked: Stocked, operations: Operations, tasks: Tasks, books: tuple[Ledger, History | None]
    ) -> None:
        self._live = live
        self._operations = operations
        self._tasks = tasks
        self._settings: Settings | None = None
        self._fleet: Connections | None = None
        self._policies: PolicyProbe | None = None
        self._profiles: ProfileProbe | None = None
        self._names: NameProbe | None = None
        self._login: AdminLogin | None = None
        router = Router(routes(with_store=stocked.shop is not None))
        self._demo = False
        self.desk = Desk(
            snapshot=lambda: live.running.snapshot,
            configured=lambda: stocked.configured,
            identity=self._identity,
            facts=self._facts,
            configuration=lambda: Configuration([*shown(self._now)], self._now.warnings, stocked.notes),
            names=lambda: self._names,
            gate=Gate(self._identity),
            pace=Pace(),
            ledger=books[0],
            history=books[1],
            parts=operations.parts,
            routes=lambda: router.routes,
            file_keys=lambda: assembly.file_keys(self._now),
            shop=stocked.shop,
        )
        self.api = Api(router, self.desk, lambda: self._now.limits.api_calls_per_minute)
        self._doors: tuple[tuple[tuple[str, ...], Door], ...] = ()

    def sell(self, sales: "Sales", syncer: "Syncer", *, demo: bool) -> None:
        """Something is sold: let the routes do it. ``demo``: for no real money."""
        from gateway.billing import customer_acts  # noqa: PLC0415  (see above)

        self.desk.sales, self.desk.syncer, self._demo = sales, syncer, demo
        self.desk.tell = partial(customer_acts.tell, sales)

    def configure(self, settings: Settings, fleet: Connections) -> None:
        """Take these settings. What is remembered of callers stays, unless identity or upstream have changed."""
        before, self._settings = self._settings, settings
        same = before is not None and before.identity == settings.identity and before.workspace == settings.workspace
        if not same or fleet is not self._fleet or (before is not None and before.admins != settings.admins):
            self._policies, self._profiles = self._policy_probe(settings, fleet), self._profile_probe(settings, fleet)
            self._names = self._name_probe(settings, fleet)
        self._fleet = fleet
        signs = (settings.admins.password, settings.admins.token_secret)
        if before is None or (before.admins.password, before.admins.token_secret) != signs:
            self._login = _login(settings.admins)
        origins = settings.payments.return_origins or ()
        self._pages = Pages(settings.prefixes.api, settings.prefixes.admin, origins)
        self._doors = (
            (segments(settings.prefixes.internal), self._answer_operations),
            (segments(settings.prefixes.api), self._answer_api),
        )

    async def answer(self, trip: Trip, target: Target) -> Answer:
        """The answer to one of our own paths. Raises a ``Problem``, ``NotFound`` where nothing is."""
        path = tuple(segment.lower() for segment in target.segments)
        if self._pages.has(page := path[:-1] if path and not path[-1] else path):
            return await self._answer_page(trip, page)
        for prefix, door in self._doors:
            if path[: len(prefix)] == prefix:
                return await door(trip, path[len(prefix) :])
        raise NotFound("This path is the gateway's own, and nothing is there.")

    async def _answer_operations(self, trip: Trip, path: tuple[str, ...]) -> Answer:
        return await self._operations.answer_for_all(trip.request.method, path)

    async def _answer_page(self, trip: Trip, path: tuple[str, ...]) -> Answer:
        asked = {name: b",".join(trip.request.values(name)).decode("latin-1") for name in FIELDS}
        return await self._pages.answer(trip.request.method, path, asked)

    async def _answer_api(self, trip: Trip, path: tuple[str, ...]) -> Answer:
        request = trip.request
        knock = Knock(
            method=request.method,
            segments=path[:-1] if path and not path[-1] else path,
            query=trip.query,
            headers=request.headers,
            peer=request.peer,
            id=trip.id,
            at_us=trip.at_us,
            body=lambda most: read_body(request, most),
        )
        try:
            return await self.api.answer(knock)
        finally:
            if knock.caller is not None:
                trip.identified = knock.caller.identified

    @property
    def _now(self) -> Settings:
        if self._settings is None:
            raise RuntimeError("not configured")
        return self._settings

    def _facts(self) -> Facts:
        settings = self._now
        return Facts(
            api_prefix=settings.prefixes.api.rstrip("/"),
            admin_prefix=settings.prefixes.admin.rstrip("/"),
            workspace_header=settings.workspace.header,
            providers=() if self.desk.sales is None else (self.desk.sales.provider.name,),
            demo_payments=self._demo,
            upstream_login=any(rule.path.lower() == _TOKENS for rule in settings.rules),
        )

    def _identity(self) -> Identity:
        running, settings = self._live.running, self._now
        queries = {jwt.query for jwt in settings.identity.jwt} | {settings.workspace.query}
        return Identity(
            authenticator=running.authenticator,
            membership=running.membership,
            policies=self._policies,
            profiles=self._profiles,
            users=frozenset(settings.admins.users),
            login=self._login,
            carriers=frozenset(query for query in queries if query is not None),
            members_known=settings.workspace.membership != "trust_clients",
        )

    def _policy_probe(self, settings: Settings, fleet: Connections) -> PolicyProbe | None:
        if settings.workspace.membership != "upstream" or settings.workspace.probe.policies is None:
            return None
        asker = UpstreamAsker(fleet, _PATIENCE_S, assembly.own_fields(settings), most=LONGEST_LIST)
        return PolicyProbe(assembly.policy_question(settings), asker, self._tasks)

    def _profile_probe(self, settings: Settings, fleet: Connections) -> ProfileProbe | None:
        if not settings.admins.upstream:
            return None
        asker = UpstreamAsker(fleet, _PATIENCE_S, assembly.own_fields(settings))
        return ProfileProbe(ProfileQuestion(), asker, self._tasks)

    def _name_probe(self, settings: Settings, fleet: Connections) -> NameProbe | None:
        if settings.workspace.membership != "upstream" and not settings.admins.upstream:
            return None
        asker = UpstreamAsker(fleet, _PATIENCE_S, assembly.own_fields(settings), most=LONGEST_LIST)
        return NameProbe(NameQuestion(), asker, self._tasks)


def _login(admins: AdminsSettings) -> AdminLogin | None:
    if admins.password is None:
        return None
    secret = admins.token_secret
    return AdminLogin(admins.password.get_secret_value(), None if secret is None else secret.get_secret_value())


def segments(prefix: str) -> tuple[str, ...]:
    """A prefix as lower-case segments."""
    return tuple(prefix.strip("/").lower().split("/"))
