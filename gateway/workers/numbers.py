"""The numbers of all workers in one scrape, whichever of them is asked."""

import asyncio
import contextlib
import fcntl
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway import log

_log = log.get_logger(__name__)
PATIENCE_S = 1.0
_LAST = ".last"
_DEAD = f"dead{_LAST}"
"""What all who are dead have counted: one file, however many there were."""
_COUNTS = re.compile(rb"^# TYPE \S+ (?:counter|histogram)$", re.MULTILINE)
HIGHEST = frozenset(
    {
        "weighbridge_build_info",
        "weighbridge_certificate_expires_seconds",
        "weighbridge_config_loaded_seconds",
        "weighbridge_journal_failing",
        "weighbridge_journal_unfolded_seconds",
        "weighbridge_jwks_age_seconds",
        "weighbridge_ledger_failing",
        "weighbridge_store_failing",
        "weighbridge_store_revision",
        "weighbridge_upstream_up",
    }
)
"""Gauges that say how something is: of all workers the highest counts. All others are added up."""


async def texts_of(own: Path, said: bytes, siblings: Sequence[Path]) -> list[bytes]:
    """What the siblings of the worker at ``own`` say, who says ``said`` himself.

    Of those that do not answer in time, or are dead, what they counted when anybody last heard of them: a sum that went
    back would look as if everything had begun anew.
    """
    sockets = (own, *siblings)
    lives = await asyncio.to_thread(_lives, sockets)
    heard = [said, *await asyncio.gather(*(_ask(path) for path in siblings), return_exceptions=True)]
    now = {life: text for life, text in zip(lives, heard, strict=True) if isinstance(text, bytes)}
    try:
        return (await asyncio.to_thread(_remember, sockets, now))[1:]
    except OSError as error:  # a full disk, most likely: to look at the numbers is needed then more than ever
        _log.warning("what silent and dead workers have counted cannot be kept", reason=str(error))
        return [text for life, text in now.items() if life != lives[0]]


def _lives(sockets: Sequence[Path]) -> list[str]:
    """Under which name the life of each worker with such a socket is kept; where there is none, one that is not."""
    return [_life(path) for path in sockets]


def _life(socket: Path) -> str:
    try:
        return f"{socket.stem}-{socket.stat().st_ctime_ns}{_LAST}"
    except OSError:
        return socket.stem


def _remember(sockets: Sequence[Path], now: Mapping[str, bytes]) -> list[bytes]:
    """Keep what these lives say, for all workers.

    Returns it, the asked one's first, what was kept of those that are silent, and what all who are dead have counted.
    """
    folder = sockets[0].parent
    with _alone(folder):
        lives = _lives(sockets)  # again: whoever was followed by another meanwhile may have said either's numbers
        for life in lives:
            if life in now and life.endswith(_LAST):
                _write(folder / life, now[life])
        kept = {path.name: path for path in folder.glob(f"*{_LAST}")}
        dead = [path for name, path in kept.items() if name not in lives]
        if dead and [path.name for path in dead] != [_DEAD]:
            _write(folder / _DEAD, summed([_counted(path.read_bytes()) for path in dead]))
            for path in dead:
                if path.name != _DEAD:
                    path.unlink()
        past = [life for life in lives if life in kept and life not in now] + ([_DEAD] if dead else [])
        return [now[life] for life in lives if life in now] + [_counted((folder / name).read_bytes()) for name in past]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One worker at a time: what is added up by two would count twice."""
    with (folder / "last.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: bytes) -> None:
    """Whole or not at all; also a disk that is full keeps nothing half-written."""
    new = path.with_suffix(".new")
    try:
        new.write_bytes(text)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _counted(text: bytes) -> bytes:
    """Without its gauges: they said how something was, and it is not so any more."""
    blocks = re.split(rb"^(?=# HELP )", text, flags=re.MULTILINE)
    return b"".join(block for block in blocks if _COUNTS.search(block))


async def _ask(path: Path) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n")
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise ConnectionError("a worker did not tell its numbers")
    return body


def summed(texts: Sequence[bytes]) -> bytes:
    """Several expositions as one: what counts is added up, what says how something is counts at its highest."""
    values: dict[str, float] = {}
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        family = ""
        for line in text.decode("utf-8").splitlines():
            if line.startswith("#"):
                family = line.split(" ", 3)[2]
                said = heads.setdefault(family, [])
                if line not in said:
                    said.append(line)
                continue
            name, _, number = line.rpartition(" ")
            if name not in values:
                samples.setdefault(family, []).append(name)
                values[name] = float(number)
            elif name.partition("{")[0] in HIGHEST:
                values[name] = max(values[name], float(number))
            else:
                values[name] += float(number)
    lines: list[str] = []
    for family, said in heads.items():
        lines += [*said, *(f"{name} {values[name]!r}" for name in samples.get(family, []))]
    return ("\n".join(lines) + "\n").encode()
