"""The web client's requests as ``tests/cases/wacraft/calls.txt`` writes them down."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.presets.wacraft import CASES


@dataclass(frozen=True, slots=True)
class ClientCall:
    """``own``: the status that the gateway gives in the place of the server's; ``None``: the server's is passed on."""

    who: str
    workspace: str
    method: str
    target: str
    status: int
    own: int | None
    body: str = ""

    @property
    def name(self) -> str:
        return f"{self.who} {self.workspace} {self.method} {self.target} {self.status} {self.body}"


def calls() -> Iterator[ClientCall]:
    """All of them, in the order of the file."""
    read: ClientCall | None = None
    for line in (CASES / "calls.txt").read_text().splitlines():
        if line.startswith("    ") and read is not None:
            read = replace(read, body=line.strip())
            continue
        if read is not None:
            yield read
            read = None
        if line and not line.startswith("#"):
            who, workspace, method, target, status = line.split()
            direct, _, own = status.partition("/")
            read = ClientCall(who, workspace, method, target, int(direct), int(own) if own else None)
    if read is not None:
        yield read
