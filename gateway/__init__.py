"""Weighbridge: a metering reverse proxy."""

import sys

# structlog looks for rich, to draw tracebacks with the values of variables in them: some are credentials, so it never
# gets to (see ``log``). Loading it all the same would take 4 MB and a tenth of a second; a name that is None here is
# one that cannot be imported.
_RICH = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402, F401

if _RICH is None:
    del sys.modules["rich"]
else:
    sys.modules["rich"] = _RICH

__version__ = "0.1.0"
