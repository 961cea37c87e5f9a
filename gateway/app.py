"""The composition root: the one file that wires everything."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import __version__, assembly, log, transport
from gateway.api.operations import PROMETHEUS, Operations, Others
from gateway.clock import new_id, now_us
from gateway.core.answers import Answer
from gateway.core.problems import NotFound, Problem
from gateway.core.target import canonical_target
from gateway.identity.authenticate import Authenticator
from gateway.identity.key_sites import KeySites
from gateway.identity.membership import ByClaim, Membership, TrustClients
from gateway.identity.probe import ByProbe
from gateway.ledger.open import open_ledger
from gateway.metering.arrears import Arrears
from gateway.metering.catalog import Catalog
from gateway.metering.meter import Meter
from gateway.metering.recorder import NoJournal, Recorder
from gateway.metering.snapshot import Snapshot
from gateway.metering.turns import debit_once, keep_debiting
from gateway.metrics import Metrics
from gateway.own_routes import OwnRoutes, segments
from gateway.proxy import answer
from gateway.proxy.asker import UpstreamAsker
from gateway.proxy.chronicle import Chronicle
from gateway.proxy.doors import Doors
from gateway.proxy.fleet import Tally
from gateway.proxy.handler import Handler
from gateway.proxy.lane import Lane
from gateway.proxy.request import Request
from gateway.proxy.running import Live, Running
from gateway.proxy.site import Place
from gateway.proxy.tls import ListenerTls
from gateway.proxy.tunnels import Tunnels
from gateway.proxy.ward import World
from gateway.recording import Recording
from gateway.settings.certificates import expiries, refuse_expired
from gateway.settings.models import Settings
from gateway.stocked import open_stocked
from gateway.tasks import Tasks
from gateway.workers.numbers import texts_of
from gateway.workers.worker import Worker

if TYPE_CHECKING:
    from gateway.selling import Selling

_TEND_S = 1.0
_LAST_DEBITS_S = 5.0
"""So long a gateway that stops may take to debit what it let through without its ledger."""
_LINGER_S = 0.25
"""A worker that ends keeps its idle connections for so long: a request may be on its way to it."""

_log = log.get_logger(__name__)


class Gateway:
    """A whole gateway: built from settings, started, reloaded, stopped."""

    def __init__(self, settings: Settings, worker: Worker | None = None) -> None:
        self.settings = settings
        self._worker = worker
        self.metrics = Metrics()
        self._tally = Tally(self.metrics.counters["upstream_ejections"], self.metrics.counters["upstream_retries"])
        self._tasks = Tasks()
        self._key_sites = KeySites(self._tasks)
        self._recording = Recording()
        self._doors: Doors | None = None
        self._tls: ListenerTls | None = None
        self._lane: Lane | None = None
        self._selling: Selling | None = None
        self._stopping = False

    async def start(self) -> None:
        """Open store and journal, then the doors. Raises what the operator can mend, each a sentence."""
        settings = self.settings
        configured = assembly.configured(settings)
        self.stocked = await open_stocked(settings.store, configured, now_us)
        snapshot = assembly.build_snapshot(settings, now_us(), self.stocked.merged(configured))
        recording = self._recording
        await recording.open(settings, self._ledger_path)
        self._ledger = await open_ledger(
            settings.ledger.url, recording.restore, kept=recording.kept, shared=assembly.shared(settings)
        )
        recorder = Recorder(recording.journal or NoJournal(), self.metrics)
        debt = settings.ledger.late_debt
        arrears = Arrears(self._ledger, recorder, recording.journal, self._catalog, debt=debt)
        self._meter = Meter(self._ledger, recorder, recording.failing, self.stocked.saw, arrears)
        if (shown := transport.listener_context(settings)) is not None:
            self._tls = ListenerTls(shown)
        self._expiries = expiries(settings)
        self.live = Live(self._assemble(settings, snapshot, None))
        self.stocked.follow(self.live, self._reassemble)
        own_metrics = settings.metrics.listen is None
        self._operations = Operations(self.metrics, self._readiness, serve_metrics=own_metrics, others=self._others)
        self._own = OwnRoutes(self.live, self.stocked, self._operations, self._tasks, (self._ledger, recording.history))
        self._own.configure(settings, self._fleet)
        self._sell(settings)
        self._sample_metrics()
        await self._open_doors()
        self._tasks.start(self._tend(), "tend the ledger")
        self._tasks.start(keep_debiting(self._meter.debit_late, _TEND_S), "debit what came late")

    async def _open_doors(self) -> None:
        """From here on requests come."""
        settings = self.settings
        chronicle = Chronicle(self.metrics, self._recording.access, self._meter.see)
        limits, worker = transport.client_limits(settings), self._worker
        self._doors = Doors(self._problem_answer, limits, linger_s=0 if worker is None else _LINGER_S)
        self._tunnels = Tunnels(World(self.live, self._meter, self.metrics, now_us), self._tasks)
        handler = Handler(self.live, self._meter, self._own.answer, chronicle, self._tunnels)
        self._lane = Lane(self.live, self._meter, chronicle, handler.go_on)
        lane = self._lane if settings.fast_lane else None
        place = transport.main_place(settings, self._tls, () if worker is None else worker.listen)
        await self._doors.open(handler, place, "listen", lane)
        if (own := transport.metrics_place(settings, () if worker is None else worker.metrics)) is not None:
            self._metrics_only = Operations(self.metrics, self._readiness, others=self._others)
            await self._doors.open(self._serve_metrics, own, "metrics.listen")
        if worker is not None:
            await self._doors.open(self._serve_sibling, Place(path=str(worker.socket), mode=0o600), "workers")

    async def stop(self) -> None:
        """Stop accepting, finish what is in flight (bounded), write what is left. Raises ``JournalError`` on a loss."""
        self._stopping = True
        if self._doors is not None:
            self._tunnels.stop()
            await self._doors.close(self.settings.limits.stop_timeout.seconds)
        if self._lane is not None:
            await self._lane.close()
        await self._tasks.close()
        await self._close_ledger()
        if hasattr(self, "live"):
            await self._fleet.close()
        await self._key_sites.close()
        if self._selling is not None:
            await self._selling.close()
        if hasattr(self, "stocked"):
            await self.stocked.close()
        await self._recording.close()

    async def _close_ledger(self) -> None:
        """Debit what came late, if that can be done now, and give back what is held."""
        if hasattr(self, "live"):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_DEBITS_S):
                    await debit_once(self._meter.debit_late)
            await self._meter.stop()
        if hasattr(self, "_ledger"):
            await self._ledger.close()

    async def reload(self, settings: Settings) -> None:
        """Build the new state completely, then swap; if that raises, nothing has changed."""
        configured, until = assembly.configured(settings), expiries(settings)
        refuse_expired(self._expiries, until, now_us())
        await self.stocked.check(configured)
        snapshot = assembly.build_snapshot(settings, now_us(), self.stocked.merged(configured))
        shown, fleet = transport.listener_context(settings), self._fleet
        self.live.running = self._assemble(settings, snapshot, self.live.running)
        if self._fleet is not fleet:
            fleet.retire()
        if self._tls is not None and shown is not None:
            self._tls.show(shown)
        self.settings, self._expiries = settings, until
        self._own.configure(settings, self._fleet)
        self.stocked.configured = configured
        if self._selling is not None:
            self._selling.configure(settings)

    def _sell(self, settings: Settings) -> None:
        """Open shop, where a payment provider is configured."""
        if settings.payments.stripe is None or self.stocked.shop is None:
            return
        from gateway.selling import open_selling  # noqa: PLC0415  (needs the store, and a provider's library)

        self._selling = selling = open_selling(settings, self.stocked.shop.store, self._tasks)
        self._own.sell(selling.sales, selling.syncer, demo=selling.demo)
        selling.sample(self.metrics)
        selling.start()

    def reopen_logs(self) -> None:
        """Open the access log anew, for log rotation."""
        if (access := self._recording.access) is not None:
            access.reopen()

    @property
    def urls(self) -> list[str]:
        """Where it listens."""
        return [] if self._doors is None else self._doors.urls

    def _authenticator(self, settings: Settings) -> Authenticator:
        config = assembly.identity_config(settings, self._key_sites.keys, more_keys=self.stocked.has_keys)
        authenticator = Authenticator(config)
        self.stocked.put_keys(authenticator)
        return authenticator

    def _reassemble(self) -> None:
        """Identity anew, and what hangs on it."""
        running = self.live.running
        authenticator = self._authenticator(self.settings)
        route = assembly.route(self.settings, running.route.pool, authenticator.carriers)
        self.live.running = replace(running, authenticator=authenticator, route=route)

    def _assemble(self, settings: Settings, snapshot: Snapshot, before: Running | None) -> Running:
        """What requests see. Identity, membership and connections stay where their settings did not change."""
        old = None if before is None else self.settings
        said = (settings.identity, settings.workspace, settings.admins.claim)
        same_identity = old is not None and (old.identity, old.workspace, old.admins.claim) == said
        authenticator = before.authenticator if before is not None and same_identity else self._authenticator(settings)
        same_upstream = old is not None and transport.same_upstream(old, settings)
        if not same_upstream:
            self._fleet = transport.fleet(settings, self._tally)
        membership = (
            before.membership if before is not None and same_identity and same_upstream else self._membership(settings)
        )
        self._key_sites.settle(assembly.key_sites(settings))
        self._key_sites.tend(now_us())
        route = assembly.route(settings, self._fleet, authenticator.carriers)
        return Running(snapshot, authenticator, membership, route)

    def _membership(self, settings: Settings) -> Membership:
        match settings.workspace.membership:
            case "trust_clients":
                return TrustClients()
            case "claim":
                return ByClaim()
            case "upstream":
                timeout_s = settings.workspace.probe.timeout.seconds
                asker = UpstreamAsker(self._fleet, timeout_s, assembly.own_fields(settings))
                return ByProbe(assembly.question(settings), asker, self._tasks, self.stocked.heard)

    def _problem_answer(self, problem: Problem) -> Answer:
        """For what is not even a request."""
        self.metrics.problems[(problem.code,)] += 1
        snapshot = self.live.running.snapshot
        return answer.of_problem(problem, snapshot, new_id(), now_us(), charge=None, cross_origin=False)

    async def _serve_metrics(self, request: Request) -> None:
        target = canonical_target(request.method, request.raw_target, self.live.running.snapshot.profile)
        internal = segments(self.settings.prefixes.internal)
        if target.segments[: len(internal)] != internal:
            raise NotFound("Only health and metrics are served here.")
        request.respond(await self._metrics_only.answer_for_all(request.method, target.segments[len(internal) :]))

    async def _serve_sibling(self, request: Request) -> None:
        request.respond(Answer(200, [PROMETHEUS], self.metrics.text()))

    @property
    def _ledger_path(self) -> Path | None:
        """Where the journal lies; each worker has its own."""
        if self.settings.ledger.path is None:
            return None
        path = Path(self.settings.ledger.path)
        return path if self._worker is None else self._worker.own(path)

    @property
    def _others(self) -> Others | None:
        worker = self._worker
        return None if worker is None else lambda said: texts_of(worker.socket, said, worker.siblings)

    def _readiness(self) -> Mapping[str, str]:
        parts = {"gateway": "stopping" if self._stopping else "ok", **self._recording.parts}
        if self._ledger.failure is not None:
            parts["ledger"] = f"degraded: {self._ledger.failure}; on_store_failure applies"
        sold = {} if self._selling is None else self._selling.parts
        return {**parts, **self.stocked.parts, **sold}

    async def _tend(self) -> None:
        """Once a second: fetch keys, give back what nobody wants, let go of full buckets."""
        while True:
            await asyncio.sleep(_TEND_S)
            self._key_sites.tend(now_us())
            self._ledger.tend(self._recording.settled_us(now_us()), now_us())

    def _catalog(self) -> Catalog:
        return self.live.running.snapshot.catalog

    def _sample_metrics(self) -> None:
        sample = self.metrics.sample
        sample("build_info", lambda: {(__version__,): 1})
        sample("config_loaded_seconds", lambda: {(): self.live.running.snapshot.loaded_us / 1_000_000})
        sample("websockets", lambda: {(): len(self._tunnels)})
        sample("workers", lambda: {(): 1})
        sample("ledger_scopes", lambda: {(): len(self._ledger)})
        sample("ledger_failing", lambda: {(): int(self._ledger.failure is not None)})
        sample("ledger_late_requests", lambda: {(): self._meter.late})
        sample("ledger_unsettled", lambda: {(): self._meter.unsettled})
        sample("ledger_forgotten_requests", lambda: {(): self._meter.forgotten})
        sample("upstream_connections", lambda: dict(self._fleet.counts()))
        sample("upstream_up", lambda: dict(self._fleet.up()))
        sample("certificate_expires_seconds", lambda: {(key,): us / 1_000_000 for key, us in self._expiries.items()})
        sample("jwks_fetches", self._key_sites.counts)
        sample("jwks_age_seconds", lambda: self._key_sites.ages(now_us()))
        self.stocked.sample(self.metrics)
        self._recording.sample(self.metrics)
