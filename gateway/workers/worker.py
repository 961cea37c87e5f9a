"""One of several processes that serve the same addresses: its number, what it was given, and where its siblings are."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_NAME = "WEIGHBRIDGE_WORKER"


class Worker(NamedTuple):
    """``number`` counts from 1 to ``among``. ``listen`` and ``metrics``: descriptors of sockets that are bound.

    ``folder`` holds a socket of each worker. ``leash``: at its end the supervisor is gone. ``ready``: to be told once
    requests are served.
    """

    number: int
    among: int
    listen: tuple[int, ...]
    metrics: tuple[int, ...]
    folder: Path
    leash: int
    ready: int

    @property
    def socket(self) -> Path:
        """Where this one tells its own numbers."""
        return self.folder / f"{self.number}.sock"

    @property
    def siblings(self) -> list[Path]:
        """Where the others do."""
        return [self.folder / f"{number}.sock" for number in range(1, self.among + 1) if number != self.number]

    def own(self, path: Path) -> Path:
        """A file of this worker's own beside ``path``. The same each time."""
        return own_path(path, self.number)

    def tell_ready(self) -> None:
        """Requests are served. A supervisor that is gone does not hear it; then the leash is at its end as well."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.ready, b"ready")
        os.close(self.ready)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the process must inherit."""
        return (*self.listen, *self.metrics, self.leash, self.ready)

    @property
    def environment(self) -> dict[str, str]:
        """How the process is told."""
        numbers = [f"{self.number}/{self.among}", _joined(self.listen), _joined(self.metrics)]
        return {_NAME: ";".join([*numbers, str(self.leash), str(self.ready), str(self.folder)])}


def own_path(path: Path, number: int) -> Path:
    """The file of one worker beside ``path``: ``ledger.db`` → ``ledger-worker2.db``."""
    return path.with_name(f"{path.stem}-worker{number}{path.suffix}")


def worker_of(environ: Mapping[str, str]) -> Worker | None:
    """The worker that this process is; ``None``: it is the whole gateway."""
    told = environ.get(_NAME)
    if told is None:
        return None
    place, listen, metrics, leash, ready, folder = told.split(";", 5)
    number, _, count = place.partition("/")
    return Worker(int(number), int(count), _split(listen), _split(metrics), Path(folder), int(leash), int(ready))


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


def _split(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(",") if each)
