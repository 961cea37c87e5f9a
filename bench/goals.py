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
    table: Sequence[Row], lane_share: float | None, latency: Latency | None, extras: Mapping[str, Any]
) -> list[Goal]:
    """Every goal, in the order of the README's table. ``extras``: what was found besides the rounds, by part."""
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
        Goal("leased: requests/s against our own in memory", ratio(subjects.LEASED, ours), 0.9, 0.97),
        Goal("requests/s against Caddy", ratio(ours, subjects.CADDY), 3, 4),
        Goal("requests/s against LiteLLM", ratio(ours, subjects.LITELLM), 150, 250),
        Goal("CPU of a refusal against that of a forwarded request", refusing, 1, 0.5, most=True),
        *_latency(latency),
        Goal("share of requests in the fast lane", lane_share, 0.99, 0.99, ""),
        Goal("share of wacraft's recorded calls there", _at(extras, "recorded", "share"), 0.9, 0.9, ""),
        *_lab(extras.get("lab")),
        *_large(extras),
        *_starting(extras),
    ]


def _at(found: Mapping[str, Any], *path: str) -> Any:
    for name in path:
        if name not in found:
            return None
        found = found[name]
    return found


def _latency(latency: Latency | None) -> list[Goal]:
    p50 = None if latency is None else (latency.p50_us - latency.bare_p50_us) / 1000
    p99 = None if latency is None else (latency.p99_us - latency.bare_p99_us) / 1000
    return [
        Goal("added latency at half of peak, p50", p50, 0.5, 0.3, "ms", most=True),
        Goal("added latency at half of peak, p99", p99, 4, 2, "ms", most=True),
    ]


def _lab(lab: Mapping[str, Any] | None) -> list[Goal]:
    found = lab or {}
    few, many = _at(found, "matching_ns", "10"), _at(found, "matching_ns", "10000")
    share, stall = _at(found, "journal", "share"), _at(found, "journal", "stall_ms")
    return [
        Goal("rule matching, 10,000 rules against 10", many / few if few else None, 1.5, 1.1, most=True),
        Goal("memory of a bucket with state", _at(found, "bucket_bytes"), 600, 400, "B", most=True),
        Goal("journal at 40,000 charges/s, of one core", share, 0.08, 0.04, "", most=True),
        Goal("journal: the longest stall of the loop", stall, 5, 2, "ms", most=True),
    ]


def _large(extras: Mapping[str, Any]) -> list[Goal]:
    size, ratios, growths = "100 MB", list[float](), list[float]()
    for direction in ("down", "up"):
        through = _at(extras, "bodies", subjects.GATEWAY, size, direction)
        beside = _at(extras, "bodies", subjects.NGINX, size, direction)
        if through is not None:
            growths.append(through["grew_mb"])
            ratios += [through["mb_s"] / beside["mb_s"]] if beside is not None else []
    return [
        Goal("bodies of 100 MB against nginx, the slower way", min(ratios, default=None), 0.4, 0.6),
        Goal("memory that bodies of 100 MB take", max(growths, default=None), 16, 8, "MB", most=True),
        Goal("memory 1,000 slow SSE readers go on to take", _at(extras, "streams", "grew_mb"), 8, 4, "MB", most=True),
    ]


def _starting(extras: Mapping[str, Any]) -> list[Goal]:
    resident = _at(extras, "starting", "empty", "rss_bytes")
    megabytes = None if resident is None else resident / 1e6
    ready = _at(extras, "starting", "stored", "ready_s")
    return [
        Goal("memory of an idle process", megabytes, 100, 70, "MB", most=True),
        Goal("time to ready with 1,000,000 stored buckets", ready, 2, 1, "s", most=True),
    ]
