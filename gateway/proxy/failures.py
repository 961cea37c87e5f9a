"""How an upstream can let us down, as problems that say whether it may have seen the request."""

from gateway.core.problems import BadGateway, GatewayTimeout, Unavailable

_NOT_DONE = "Nothing of your request reached it: send it again in a moment."
_MAYBE_DONE = "Your request may have been carried out: look before you send it again."


class UpstreamFailed(BadGateway):
    """The upstream refused the connection, broke it, or did not speak HTTP (502).

    ``request_sent``: whether one byte of the request may have been written to an upstream (product.md 2.9).
    """

    def __init__(self, message: str, *, request_sent: bool) -> None:
        super().__init__(f"{message} {_MAYBE_DONE if request_sent else _NOT_DONE}")
        self.request_sent = request_sent


class UpstreamTimedOut(GatewayTimeout):
    """The upstream did not take the connection, the request or did not answer in time (504).

    ``request_sent``: whether one byte of the request may have been written to an upstream (product.md 2.9).
    """

    def __init__(self, message: str, *, request_sent: bool) -> None:
        super().__init__(f"{message} {_MAYBE_DONE if request_sent else _NOT_DONE}")
        self.request_sent = request_sent


class GatewayBusy(Unavailable):
    """It is not the upstream's fault: too many requests wait for it, or the gateway is stopping (503)."""

    request_sent = False

    def __init__(self, message: str) -> None:
        super().__init__(f"{message} {_NOT_DONE}", headers=((b"Retry-After", b"1"),))


NO_CONNECTION = (UpstreamFailed, UpstreamTimedOut, GatewayBusy)
"""Why there is none; ``request_sent`` is false then."""
UpstreamProblem = UpstreamFailed | UpstreamTimedOut
