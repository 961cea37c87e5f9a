"""The web client's requests as ``tests/cases/wacraft/calls.txt`` writes them down."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.presets.wacraft import CASES

_TYPE = "Content-Type: "


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
    content_type: str = ""

    @property
    def name(self) -> str:
        return f"{self.who} {self.workspace} {self.method} {self.target} {self.status} {self.body}"


def _more(call: ClientCall, line: str) -> ClientCall:
    """With one more line of its body, or the type of it."""
    if not call.body and not call.content_type and line.startswith(_TYPE):
        return replace(call, content_type=line.removeprefix(_TYPE))
    return replace(call, body=f"{call.body}\r\n{line}" if call.body else line)


def calls() -> Iterator[ClientCall]:
    """All of them, in the order of the file."""
    read: ClientCall | None = None
    for line in (CASES / "calls.txt").read_text().splitlines():
        if line.startswith("    ") and read is not None:
            read = _more(read, line[4:])
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
