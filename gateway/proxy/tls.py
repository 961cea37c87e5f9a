"""TLS on both sides: contexts from files, and a listener's certificate that can be changed while it listens."""

import ssl
from pathlib import Path

_ALPN = ["http/1.1"]


Pair = tuple[Path, Path]
"""A certificate with its chain, and its private key, as PEM files."""


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    """Raises ``OSError``, of which TLS's errors are a kind."""
    # An encrypted key must fail: without an answer OpenSSL would ask for its password at the terminal.
    context.load_cert_chain(*pair, password=lambda: "")


class ListenerTls:
    """What a listener shows of itself. ``show`` makes it show another context to whoever connects from then on."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        """For the listener: it hands each handshake to the latest of our contexts."""
        self._latest = context
        context.sni_callback = self._hand_over

    def show(self, context: ssl.SSLContext) -> None:
        """From now on show the certificate of ``context``."""
        self._latest = context

    def _hand_over(self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        handshake.context = self._latest


def for_listener(pair: Pair) -> ssl.SSLContext:
    """What is spoken, and the certificate that is shown. Raises ``OSError``, of which TLS's errors are a kind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_ALPN)
    _load(context, pair)
    return context


def for_upstream(ca: Path | None, pair: Pair | None, *, verify: bool) -> ssl.SSLContext:
    """``ca``: who vouches for the upstream; ``None``: those whom the system trusts. ``pair``: who we are.

    Raises ``OSError``, of which TLS's errors are a kind.
    """
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_ALPN)
    if pair is not None:
        _load(context, pair)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
