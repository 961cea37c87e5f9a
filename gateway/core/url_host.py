"""Where the host of a URL ends: whoever shows a URL without its password has to know."""

import re

_ENDS_HOST = re.compile("[/?#]")


def is_at_behind_host(url: str) -> bool:
    """Whether an ``@`` stands behind the host: a bare ``/``, ``?`` or ``#`` in a password ends it (RFC 3986, 3.2).

    Nobody can tell then where the password ends.
    """
    _, *rest = _ENDS_HOST.split(url.partition("://")[2], maxsplit=1)
    return "@" in "".join(rest)
