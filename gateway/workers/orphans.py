"""Journals whose worker is no more, because there are fewer now: nobody writes them, and nobody reads them either."""

import re
from pathlib import Path

from gateway.workers.worker import own_path


def orphans(path: Path, count: int) -> list[Path]:
    """The journals beside ``path`` that none of ``count`` processes opens; those of one process bear no number."""
    pattern = re.compile(rf"{re.escape(path.stem)}(-worker[1-9]\d*)?{re.escape(path.suffix)}")
    own = {path} if count == 1 else {own_path(path, number) for number in range(1, count + 1)}
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    return sorted(each for each in beside if pattern.fullmatch(each.name) and each not in own)


def warning(path: Path, count: int) -> str | None:
    """What to do about them; ``None``: there are none."""
    found = orphans(path, count)
    if not found:
        return None
    numbers = [int(name) for each in found for name in re.findall(r"-worker(\d+)$", each.stem)]
    before = max(numbers, default=1)
    names = ", ".join(each.name for each in found)
    return (
        f"{names} in {path.parent}: with `workers: {count}` no process opens what was written there. What is owed "
        "there is not debited, and a Redis that loses its memory is not filled from it. Run once with "
        f"`workers: {before}` until weighbridge_ledger_late_requests is 0, stop in order, then move these files away."
    )
