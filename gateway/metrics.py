"""Named instruments. Counting is plain integers; the Prometheus text is made when somebody scrapes."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds of OpenTelemetry's ``http.server.request.duration``."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric: its name without the ``weighbridge_`` in front, its kind, its meaning and its labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


INSTRUMENTS = (
    Instrument("requests", "counter", "Requests answered.", ("rule", "outcome", "status")),
    Instrument("fast_lane_requests", "counter", "Requests that the fast lane took (all: `fast_lane: true`)."),
    Instrument("units", "counter", "Units debited.", ("rule", "meter", "scope")),
    Instrument("refunded_units", "counter", "Units given back.", ("rule", "meter", "scope")),
    Instrument("overrun_units", "counter", "Units delivered that no budget had (shadow rules).", ("rule", "meter")),
    Instrument("refusals", "counter", "429s, by what helps: wait or buy.", ("rule", "way_out")),
    Instrument("shadow_refusals", "counter", "Requests a shadow rule let through with empty budgets.", ("rule",)),
    Instrument("store_failures", "counter", "Requests met by an unwritable store, by what was done.", ("policy",)),
    Instrument("problems", "counter", "Errors the gateway answered itself.", ("code",)),
    Instrument("request_duration_seconds", "histogram", "From the request's head to the end of the answer."),
    Instrument("upstream_duration_seconds", "histogram", "From forwarding to the head of the upstream's answer."),
    Instrument("in_flight_requests", "gauge", "Requests being served now."),
    Instrument("websockets", "gauge", "WebSockets that are open."),
    Instrument("websocket_messages", "counter", "Messages of clients that were weighed.", ("rule", "outcome")),
    Instrument("websocket_closes", "counter", "WebSockets that the gateway closed, by close code.", ("code",)),
    Instrument("upstream_connections", "gauge", "Connections to the upstream.", ("state",)),
    Instrument("upstream_up", "gauge", "1 while an upstream address is thought to be well.", ("address",)),
    Instrument("upstream_ejections", "counter", "Times an upstream address was left out.", ("address", "cause")),
    Instrument("upstream_retries", "counter", "Connections opened to another address after one gave none."),
    Instrument("certificate_expires_seconds", "gauge", "Until when a certificate is good (Unix time).", ("key",)),
    Instrument("jwks_fetches", "counter", "Fetches of issuers' keys.", ("result",)),
    Instrument("jwks_age_seconds", "gauge", "How old an issuer's keys are.", ("url",)),
    Instrument("ledger_scopes", "gauge", "Scopes with state in memory."),
    Instrument("ledger_failing", "gauge", "1 while nothing can be charged, so that on_store_failure applies."),
    Instrument("ledger_late_requests", "gauge", "Requests let through without their ledger that wait for their debit."),
    Instrument("ledger_unsettled", "gauge", "Charges in doubt and refunds that wait for Redis; a kill loses them."),
    Instrument("ledger_forgotten_requests", "counter", "Requests that went free because too many waited."),
    Instrument("journal_pending_records", "gauge", "Records not on disk yet."),
    Instrument("journal_lost_records", "counter", "Records given up because the disk stayed full too long."),
    Instrument("journal_failing", "gauge", "1 while the journal cannot be written."),
    Instrument("journal_unfolded_seconds", "gauge", "How far snapshots and roll-ups are behind the journal."),
    Instrument("store_failing", "gauge", "1 while the billing database cannot be reached."),
    Instrument("store_revision", "gauge", "The last change of plans, weights, keys or subscriptions that counts."),
    Instrument("store_scopes", "gauge", "Scopes whose subscriptions are in memory."),
    Instrument(
        "payment_signals", "counter", "What a payment provider said, by what came of it.", ("provider", "result")
    ),
    Instrument("payment_signals_open", "gauge", "Signals that were not acted on yet.", ("provider",)),
    Instrument("payment_signal_age_seconds", "gauge", "Age of the oldest of these.", ("provider",)),
    Instrument("payment_unmatched", "counter", "Sales of ours at the provider that are not here.", ("provider",)),
    Instrument(
        "payment_cursor_age_seconds", "gauge", "Age of the moment up to which all happenings were read.", ("provider",)
    ),
    Instrument("payment_overdue", "gauge", "Sales that should have been compared by now.", ("provider",)),
    Instrument(
        "payment_catalog_drift",
        "gauge",
        "Prices and products that are not at the provider as we have them.",
        ("provider",),
    ),
    Instrument(
        "payment_compared", "gauge", "Sales compared by the full sync that is under way; 0: none is.", ("provider",)
    ),
    Instrument(
        "payment_paid_twice",
        "gauge",
        "Sales with money for which nothing is granted (paid twice, or when over), not given back yet.",
        ("provider",),
    ),
    Instrument("payment_repairs", "counter", "Sales that the sync had to put right.", ("provider",)),
    Instrument("access_log_lost_lines", "counter", "Access log lines that could not be written."),
    Instrument("workers", "gauge", "Processes whose numbers are in this answer."),
    Instrument("config_reloads", "counter", "Configuration reloads.", ("result",)),
    Instrument("config_loaded_seconds", "gauge", "When the running configuration was loaded (Unix time)."),
    Instrument("build_info", "gauge", "Always 1; the label tells the version.", ("version",)),
)

Sample = Callable[[], Mapping[tuple[str, ...], float]]


class Histogram:
    """Counts by upper bound, and the sum."""

    __slots__ = ("counts", "sum_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_us = 0

    def observe_us(self, duration_us: int) -> None:
        """Count one duration."""
        self.counts[bisect_left(_BUCKETS_US, duration_us)] += 1
        self.sum_us += duration_us

    def observe_all_us(self, durations_us: list[int]) -> None:
        """Count many, which costs less than one at a time."""
        durations_us.sort()
        below = [bisect_right(durations_us, bound) for bound in _BUCKETS_US]
        for place, (less, more) in enumerate(pairwise((0, *below, len(durations_us)))):
            self.counts[place] += more - less
        self.sum_us += sum(durations_us)


_BUCKETS_US = tuple(int(bound * 1_000_000) for bound in BUCKETS_S)
_BY_NAME = {instrument.name: instrument for instrument in INSTRUMENTS}


class Metrics(Collector):
    """All instruments of one process. Counters are ``metrics.requests[labels] += 1``; gauges are sampled on scrape."""

    def __init__(self) -> None:
        self.counters: dict[str, Counter[tuple[str, ...]]] = {
            instrument.name: Counter() for instrument in INSTRUMENTS if instrument.kind == "counter"
        }
        self.requests = self.counters["requests"]
        self.fast_lane_requests = self.counters["fast_lane_requests"]
        self.units = self.counters["units"]
        self.refunded_units = self.counters["refunded_units"]
        self.overrun_units = self.counters["overrun_units"]
        self.refusals = self.counters["refusals"]
        self.shadow_refusals = self.counters["shadow_refusals"]
        self.store_failures = self.counters["store_failures"]
        self.problems = self.counters["problems"]
        self.config_reloads = self.counters["config_reloads"]
        self.request_duration = Histogram()
        self.upstream_duration = Histogram()
        self.in_flight = 0
        self._behind: list[Callable[[], None]] = []
        self._samples: dict[str, Sample] = {"in_flight_requests": lambda: {(): self.in_flight}}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def before_reading(self, act: Callable[[], None]) -> None:
        """Have ``act`` called whenever somebody scrapes: it adds what was not counted yet."""
        self._behind.append(act)

    def sample(self, name: str, read: Sample) -> None:
        """Read a gauge, or a counter kept elsewhere, with ``read`` whenever somebody scrapes."""
        self._samples[_BY_NAME[name].name] = read

    def text(self) -> bytes:
        """The Prometheus exposition format, version 0.0.4."""
        for act in self._behind:
            act()
        return generate_latest(self._registry)

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not read the instruments to know their names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Every instrument with its present values."""
        for instrument in INSTRUMENTS:
            name, labels = f"weighbridge_{instrument.name}", instrument.labels
            if instrument.kind == "histogram":
                yield self._histogram(name, instrument)
                continue
            family = (CounterMetricFamily if instrument.kind == "counter" else GaugeMetricFamily)(
                name, instrument.help, labels=labels
            )
            read = self._samples.get(instrument.name)
            values: Mapping[tuple[str, ...], float] = read() if read else self.counters.get(instrument.name, {})
            for key, value in tuple(values.items()):
                family.add_metric(key, value)
            yield family

    def _histogram(self, name: str, instrument: Instrument) -> Metric:
        source = self.request_duration if instrument.name.startswith("request") else self.upstream_duration
        total, buckets = 0, []
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), source.counts, strict=True):
            total += count
            buckets.append((bound, total))
        family = HistogramMetricFamily(name, instrument.help)
        family.add_metric((), buckets, source.sum_us / 1_000_000)
        return family
