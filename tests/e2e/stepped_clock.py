"""``weighbridge`` with a wall clock that a test can step: ``python stepped_clock.py FILE serve …``.

``FILE`` holds the seconds by which the clock is ahead. Only the time is not what it seems; the rest is real.
"""

import sys
import time
from pathlib import Path

_FILE = Path(sys.argv.pop(1))
_real = time.time_ns


def _stepped() -> int:
    return _real() + int(_FILE.read_text()) * 1_000_000_000


time.time_ns = _stepped

from gateway.cli import main  # noqa: E402  (the clock is in place before anything reads it)

main()
