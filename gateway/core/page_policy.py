"""The content security policy of the pages: they run their own files alone, and where that can be said, by folder.

A policy names a folder only with its origin. Behind a proxy that changes ``Host`` the origin that a browser sees is not
known, and a wrong one would break the page: so a folder is named where ``Host`` is that of an origin of the settings,
and ``'self'`` otherwise, which is everything of this origin, the upstream's files included.
"""

from collections.abc import Iterable

SELF = "'self'"
_REST = (
    "img-src {own}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def policy(host: str, origins: Iterable[str], folder: str) -> str:
    """No inline script or style, no other host, no frame around the pages or in them.

    ``host``: as the request names it. ``origins``: where the pages are known to be. ``folder``: of their files.
    """
    known = [origin for origin in origins if origin.partition("://")[2].lower() == host.lower()]
    own = " ".join(f"{origin}{folder}/" for origin in sorted(known)) or SELF
    return f"default-src 'none'; script-src {own}; style-src {own}; {_REST.format(own=own)}"
