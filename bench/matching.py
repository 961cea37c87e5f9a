"""What it costs to match a path never seen before, by the number of rules: ``python -m bench.matching``."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from gateway.core.profile import PROFILES
from gateway.core.rules import Origin, Rule, RuleTable

SIZES = (10, 100, 1_000, 10_000)
_SHAPES = ("", "/search", "/{id}", "/{id}/members", "/files/**")
_PATHS = 2_000
_TRIES = 40


def cost_ns(sizes: Sequence[int] = SIZES) -> Mapping[int, float]:
    """Nanoseconds for each match, by the number of rules: the least of many tries, since noise only adds."""
    return {size: min(_tried_ns(_try(size))) / _PATHS for size in sizes}


def _tried_ns(act: Callable[[], None]) -> Iterator[int]:
    for _ in range(_TRIES):
        before = time.thread_time_ns()
        act()
        yield time.thread_time_ns() - before


def _try(size: int) -> Callable[[], None]:
    made = [
        Rule("GET", f"/resource{number // len(_SHAPES)}{_SHAPES[number % len(_SHAPES)]}", origin=Origin("file", "x"))
        for number in range(size)
    ]
    match = RuleTable.compile(made, PROFILES["strict"]).match
    chance = random.Random(size)  # noqa: S311  (not a secret: it shall repeat)
    resources = size // len(_SHAPES)
    paths = [(f"resource{chance.randrange(resources)}", str(number), "members") for number in range(_PATHS)]

    def act() -> None:
        for path in paths:
            match("GET", path)

    return act


if __name__ == "__main__":
    print(json.dumps(cost_ns()))
