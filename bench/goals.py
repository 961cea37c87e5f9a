"""What was promised, beside what was measured: each goal with its minimum, all from one run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import subjects
from bench.report import Row
from bench.rounds import Latency


@dataclass(frozen=True, slots=True)
class Goal:
    """``value`` ``None``: not measured in this run. ``most``: smaller is better."""

    what: str
    value: float | None
    minimum: float
    goal: float
    unit: str = "x"
    most: bool = False

    @property
    def verdict(self) -> str:
        """One word."""
        if self.value is None:
            return "not measured"
        if self._reaches(self.goal):
            return "goal"
        return "minimum" if self._reaches(self.minimum) else "missed"

    def _reaches(self, bound: float) -> bool:
        return self.value is not None and (self.value <= bound if self.most else self.value >= bound)


def goals(
    table: Sequence[Row], lane_share: float | None, latency: Latency | None, lab: Mapping[str, Any] | None
) -> list[Goal]:
    """Every goal, in the order of the README's table."""
    by_name = {row.name: row for row in table}

    def ratio(one: str, other: str, of: Callable[[Row], float] = lambda row: row.per_second) -> float | None:
        pair = by_name.get(one), by_name.get(other)
        if pair[0] is None or pair[1] is None or not of(pair[1]):
            return None
        return of(pair[0]) / of(pair[1])

    ours = subjects.GATEWAY
    beside = by_name.get(ours)
    bare = None if beside is None else beside.per_second_ratio
    refusing = ratio(subjects.REFUSING, ours, lambda row: row.cpu_us)
    return [
        Goal("requests/s against the bare aiohttp proxy", bare, 1.5, 1.5),
        Goal("requests/s against nginx + Lua counter", ratio(ours, subjects.NGINX_LUA), 0.65, 0.8),
        Goal("Redis: requests/s against nginx + Lua + Redis", ratio(subjects.SHARED, subjects.NGINX_REDIS), 0.9, 1.1),
        Goal("requests/s against Caddy", ratio(ours, subjects.CADDY), 3, 4),
        Goal("CPU of a refusal against that of a forwarded request", refusing, 1, 0.5, most=True),
        Goal("share of requests in the fast lane", lane_share, 0.99, 0.99, ""),
        *_latency(latency),
        *_lab(lab),
    ]


def _latency(latency: Latency | None) -> list[Goal]:
    p50 = None if latency is None else (latency.p50_us - latency.bare_p50_us) / 1000
    p99 = None if latency is None else (latency.p99_us - latency.bare_p99_us) / 1000
    return [
        Goal("added latency at half of peak, p50", p50, 0.5, 0.3, "ms", most=True),
        Goal("added latency at half of peak, p99", p99, 4, 2, "ms", most=True),
    ]


def _lab(lab: Mapping[str, Any] | None) -> list[Goal]:
    if lab is None:
        return []
    matching = lab["matching_ns"]["10000"] / lab["matching_ns"]["10"]
    return [
        Goal("rule matching, 10,000 rules against 10", matching, 1.5, 1.1, most=True),
        Goal("memory of a bucket with state", lab["bucket_bytes"], 600, 400, "B", most=True),
        Goal("journal at 40,000 charges/s, of one core", lab["journal"]["share"], 0.08, 0.04, "", most=True),
    ]
