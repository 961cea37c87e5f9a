"""The gateway's own API keys: ``wb_<id>_<secret>``. Only the SHA-256 of the secret is kept.

The secret is 256 random bits, so a fast hash is enough: there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.scope import normalise_id
from gateway.identity.credential import Credential, check_time, unauthorized

PREFIX = b"wb_"
_ID_LENGTH, _SECRET_LENGTH = 12, 43
_ID_ALPHABET = string.ascii_lowercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits
_FORM = re.compile(rb"wb_([a-z0-9]{1,64})_([A-Za-z0-9]{32,128})")
_ID = re.compile(r"[a-z0-9]{1,64}")
_HEX = re.compile(r"[0-9a-f]{64}")
_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept. With ``workspace`` it is good for that workspace alone; ``user`` may then be missing."""

    id: str
    sha256: str
    user: str | None = None
    workspace: str | None = None
    role: str | None = None
    expires_us: int | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key. ``key`` is shown to its owner once and never kept; ``id`` and ``sha256`` are."""

    key: str
    id: str
    sha256: str

    @property
    def hash(self) -> str:
        """The hash as it stands in the configuration."""
        return f"sha256:{self.sha256}"

    def __repr__(self) -> str:
        return f"NewKey(id={self.id!r})"


def generate_key() -> NewKey:
    """Make a key with a secret of 256 random bits."""
    id_ = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))
    return NewKey(f"wb_{id_}_{secret}", id_, hashlib.sha256(secret.encode()).hexdigest())


class ApiKeys:
    """The keys that count. Raises ``ValueError`` for two of one id, a hash that is none, or a key for nobody."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys: dict[str, tuple[ApiKey, Credential]] = {}
        for key in keys:
            if key.id in self._keys:
                raise ValueError(f"two API keys have the id {key.id}")
            self._keys[key.id] = (key, _credential(key))

    def put(self, key: ApiKey) -> bool:
        """Add a key, or replace the one with its id; whether there was one. Raises ``ValueError`` as the class does."""
        known = key.id in self._keys
        self._keys[key.id] = (key, _credential(key))
        return known

    def verify(self, sent: bytes, now_us: int) -> Credential:
        """What the key in ``sent`` says. Raises ``Unauthorized``, in one sentence for unknown, wrong and revoked."""
        if (parts := _FORM.fullmatch(sent)) is None:
            raise unauthorized(
                "The API key is not of the form 'wb_<id>_<secret>'. Send the key as it was given to you."
            )
        known = self._keys.get(parts[1].decode())
        expected = _NOBODY if known is None else known[0].sha256
        same = hmac.compare_digest(hashlib.sha256(parts[2]).hexdigest(), expected)
        if known is None or not same or known[0].revoked:
            raise unauthorized("The API key is not known here, or was revoked. Ask the operator for a new one.")
        check_time(known[1], now_us)
        return known[1]


def _credential(key: ApiKey) -> Credential:
    if not _ID.fullmatch(key.id):
        raise ValueError(f"API key {key.id}: an id has 1 to 64 lower-case letters and digits")
    if not _HEX.fullmatch(key.sha256):
        raise ValueError(
            f"API key {key.id}: sha256 must be 64 lower-case hex digits, as 'weighbridge key new' prints them"
        )
    user = None if key.user is None else normalise_id(key.user)
    workspace = None if key.workspace is None else normalise_id(key.workspace)
    if (user, workspace) == (None, None):
        raise ValueError(f"API key {key.id} must name a user or a workspace")
    if (user is None) != (key.user is None) or (workspace is None) != (key.workspace is None):
        raise ValueError(f"API key {key.id} names a user or workspace that cannot be an id")
    return Credential(
        proof="api_key",
        user=user,
        workspace=workspace,
        workspaces=frozenset() if workspace is None else frozenset({workspace}),
        bound=workspace is not None,
        role=key.role,
        expires_us=key.expires_us,
        key=key.id,
    )
