"""The load: who calls what. Made from a seed, so every subject and every run sees the same requests.

10,000 users in 1,000 workspaces call 500 paths that 1,000 rules weigh; users, workspaces and paths are
Zipf-distributed, since a few of each make most of the traffic of a real API.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import jwt
import yaml

from gateway.clock import now_us

USERS = 10_000
WORKSPACES = 1_000
RESOURCES = 100  # each has five paths and ten rules
REQUESTS = 40_000  # the load generator starts again at the end
TOKEN_SECONDS = 24 * 3600
POST_BODY = json.dumps({"to": "5511999990000", "type": "text", "text": {"body": "Your order is on its way."}})

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the load."""

    method: str
    path: str
    token: str
    workspace: str


def make(secret: str, seed: int = 1) -> list[Call]:
    """The calls in the order in which they are sent; tokens are HS256 and hold for a day."""
    chance = random.Random(seed)  # noqa: S311  (not a secret: it shall repeat)
    expires = now_us() // 1_000_000 + TOKEN_SECONDS
    users = [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(USERS)]
    tokens = [jwt.encode({"sub": user, "exp": expires, "iss": "bench"}, secret, algorithm="HS256") for user in users]
    workspaces = [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(WORKSPACES)]
    picked = zip(
        _zipf(chance, list(_calls(chance)), REQUESTS),
        _zipf(chance, tokens, REQUESTS),
        _zipf(chance, workspaces, REQUESTS),
        strict=True,
    )
    return [Call(method, path, token, workspace) for (method, path), token, workspace in picked]


def rules() -> dict[str, object]:
    """What the gateway includes: 1,000 rules, with literals, parameters and rests that compete."""
    shapes: list[tuple[str, str, int]] = [
        ("GET", "", 1),
        ("POST", "", 2),
        ("GET", "/search", 3),
        ("ANY", "/files/**", 1),
        ("GET", "/{id}", 1),
        ("PUT", "/{id}", 2),
        ("DELETE", "/{id}", 1),
        ("GET", "/{id}/members", 1),
        ("POST", "/{id}/members", 2),
        ("POST", "/{id}/send", 5),
    ]
    return {
        "rules": [
            {"method": method, "path": f"/resource{number}{tail}", "weight": weight}
            for number in range(RESOURCES)
            for method, tail, weight in shapes
        ]
    }


def write(calls: Sequence[Call], directory: Path) -> Path:
    """Write ``rules.yaml`` and ``requests.tsv`` (method, path, token, workspace) and return the latter's path."""
    (directory / "rules.yaml").write_text(yaml.safe_dump(rules(), sort_keys=False))
    path = directory / "requests.tsv"
    path.write_text("".join(f"{call.method}\t{call.path}\t{call.token}\t{call.workspace}\n" for call in calls))
    return path


def read(path: Path) -> list[Call]:
    """What ``write`` wrote."""
    return [Call(*line.split("\t")) for line in path.read_text().splitlines()]


def head_and_body(call: Call, host: str) -> bytes:
    """The request's bytes, as ``wrk.lua`` sends them too."""
    fields = [
        f"{call.method} {call.path} HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {call.token}",
        f"X-Workspace-ID: {call.workspace}",
        "Accept: application/json",
    ]
    body = POST_BODY if call.method == "POST" else ""
    if body:
        fields += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*fields, "", body]).encode()


def _calls(chance: random.Random) -> Iterator[tuple[str, str]]:
    for number in range(RESOURCES):
        one = UUID(int=chance.getrandbits(128), version=4)
        base = f"/resource{number}"
        yield from (("GET", base), ("GET", f"{base}/search"), ("GET", f"{base}/{one}"))
        yield from (("GET", f"{base}/{one}/members"), ("POST", f"{base}/{one}/send"))


def _zipf(chance: random.Random, values: list[_T], count: int) -> list[_T]:
    """``count`` picks; the k-th most popular value has a share of 1/k."""
    chance.shuffle(values)
    return chance.choices(values, cum_weights=list(accumulate(1 / rank for rank in range(1, len(values) + 1))), k=count)
