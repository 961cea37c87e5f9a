"""The numbers of all workers in one scrape, whichever of them is asked."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 1.0
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


async def texts_of(sockets: Sequence[Path]) -> list[bytes]:
    """What those workers say that answer in time."""
    said = await asyncio.gather(*(_ask(path) for path in sockets), return_exceptions=True)
    return [text for text in said if isinstance(text, bytes)]


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
