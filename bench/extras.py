"""What is measured besides the rounds: each in a process of its own, so that a part can run alone and has an end.

``python -m bench --only bodies`` runs one of them after no rounds at all.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

SECONDS = 300
"""No part takes longer; one that does is reported as missing."""

NAMES = ("bodies", "streams", "idle", "starting", "recorded", "scale", "lab")


def run(names: tuple[str, ...], step: Callable[[str], None]) -> tuple[dict[str, Any], dict[str, str]]:
    """What each part found, by its name, and why others found nothing."""
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in names:
        step(name)
        try:
            found[name] = _measure(name)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            missing[name] = f"did not run: {error}"
    return found, missing


def _measure(name: str) -> Mapping[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}"], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise RuntimeError(" | ".join(done.stderr.strip().splitlines()[-3:]) or f"status {done.returncode}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
