"""Reading the files of a configuration, and remembering what was in them so that a change can be noticed."""

import errno
import hashlib
import os
from pathlib import Path

MISSING = ""
"""The digest of a file that could not be read: its appearance is a change."""

_LARGEST = 16 << 20


def digest(raw: bytes) -> str:
    """What tells one content from another."""
    return hashlib.sha256(raw).hexdigest()


class Files:
    """Reads files. ``digests``: absolute path → digest of every file that was asked for, in the order of asking."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}

    def read(self, path: Path, largest: int = _LARGEST) -> bytes:
        """The bytes of ``path``. Raises ``OSError`` with a sentence in ``strerror``."""
        if "\x00" in str(path):
            raise OSError(errno.EINVAL, "the name has a zero byte")
        absolute = os.path.abspath(path)  # noqa: PTH100  (``Path.absolute`` keeps ``..``)
        self.digests[absolute] = MISSING
        with path.open("rb") as opened:
            raw = opened.read(largest + 1)
        if len(raw) > largest:
            raise OSError(errno.EFBIG, f"it is larger than {largest >> 20} MiB")
        self.digests[absolute] = digest(raw)
        return raw
