"""One process per journal: an advisory lock on a file beside it, which the kernel drops however the process ends."""

import fcntl
import os
from pathlib import Path

from gateway.journal.errors import JournalError


class Lock:
    """Held from construction to ``close``. Raises ``JournalError`` that names the process which holds it."""

    def __init__(self, journal: Path) -> None:
        path = Path(f"{journal}.lock")
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                f"cannot create {path}: {error.strerror}; the journal's folder must be writable"
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise JournalError(
                f"the journal {journal} is in use by process {holder}: one process per journal; "
                "stop that one, or give this one a journal of its own"
            ) from error
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            # A full disk: the lock holds all the same, it only cannot tell whose it is.
            pass

    def close(self) -> None:
        """Let the next process in. The file stays: removing it would let two processes lock two files of one name."""
        os.close(self._fd)
