"""One harmless GET after the other, each spelled exactly as it is written."""

import ssl
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

_MOST_BODY = 64 * 1024
_DEFAULT_PATH = "/"


class Unreachable(Exception):  # noqa: N818  (said to a person)
    """The upstream does not answer, or the URL is none."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer. ``status`` 0: the connection ended without one. ``kind``: the media type. ``body``: its beginning."""

    status: int
    kind: str = ""
    location: str = ""
    body: bytes = b""


class Site:
    """An upstream. Raises ``Unreachable`` for a URL that is none."""

    def __init__(self, url: str, headers: Sequence[tuple[str, str]] = (), timeout_s: float = 5.0) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise Unreachable(f"{url} is not a URL: {error}.") from None
        if parts.scheme not in ("http", "https") or not host:
            raise Unreachable(f"{url} is not a URL. Write http://host:port/path.")
        if parts.query or parts.fragment or parts.username:
            raise Unreachable("Give a path without a query, a fragment or a user; credentials go with --header.")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path or _DEFAULT_PATH
        self._tls = parts.scheme == "https"
        self._host, self._port = host, port
        self._headers = tuple(headers)
        self._timeout_s = timeout_s
        self.asked = 0

    def get(self, path: str) -> Seen:
        """GET ``path`` on a connection of its own. Raises ``Unreachable`` if nobody listens."""
        self.asked += 1
        with closing(self._connection()) as connection:
            try:
                connection.connect()
            except OSError as error:
                raise Unreachable(f"{self.origin} cannot be reached: {error}.") from None
            try:
                return self._exchange(connection, path)
            except (OSError, HTTPException):
                return Seen(0)

    def _connection(self) -> HTTPConnection:
        if self._tls:
            context = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        return HTTPConnection(self._host, self._port, timeout=self._timeout_s)

    def _exchange(self, connection: HTTPConnection, path: str) -> Seen:
        connection.putrequest("GET", path)
        for name, value in (*self._headers, ("Connection", "close")):
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read(_MOST_BODY)
        kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        return Seen(answer.status, kind, answer.getheader("Location") or "", body)
