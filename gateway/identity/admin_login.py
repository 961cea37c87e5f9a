"""The gateway's own admin: one password, and short-lived tokens that nothing but our own routes accepts.

The password is the environment's or the configuration's, plain or an argon2 hash of it. Tokens are signed with a key
that is derived from the password and the configured secret, so that they are good on every replica and die with either.
Who has read a hash does not know the password: of a hash without a secret no key is derived, each process makes up one.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import secrets

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.core.problems import StoreUnavailable
from gateway.identity.credential import ADMIN_PREFIX as PREFIX
from gateway.identity.credential import unauthorized

LIFETIME_S = 3_600
LONGEST_PASSWORD = 1_024
SKEW_S = 60
"""How far ahead the clock of the replica may be that made a token."""
_AT_ONCE, _WAITING = 1, 8
_FORM = re.compile(rb"wbadmin_([A-Za-z0-9_-]{40,64})\.([A-Za-z0-9_-]{43})")
_SECOND_US = 1_000_000


class AdminLogin:
    """Checks the password and its tokens. ``password``, ``secret``: as configured; the settings have judged them."""

    def __init__(self, password: str, secret: str | None = None) -> None:
        self._hash = password if password.startswith("$argon2") else None
        # Of a plain password only a digest stays, and guesses are compared in constant time.
        self._digest = hashlib.sha256(password.encode()).digest()
        self._seed = _seed(password, secret) if secret is not None or self._hash is None else secrets.token_bytes(64)
        self._key: bytes | None = None
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def login(self, password: str, now_us: int) -> str:
        """A token for who knows the password. Raises ``Unauthorized``, or ``StoreUnavailable`` if too many ask."""
        if self._waiting >= _WAITING:
            raise StoreUnavailable("Too many log in at once. Try again in a moment.", headers=((b"Retry-After", b"1"),))
        self._waiting += 1
        try:
            async with self._turn:  # hashing takes memory and a core: never on the loop, one at a time
                good = await asyncio.to_thread(self._knows, password)
                key = await self._signing_key()
        finally:
            self._waiting -= 1
        if not good:
            raise unauthorized("This is not the admin's password.", invalid=False)
        until_s = now_us // _SECOND_US + LIFETIME_S
        said = _encoded(until_s.to_bytes(8, "big") + secrets.token_bytes(24))
        return (PREFIX + said + b"." + _encoded(_signature(key, said))).decode()

    async def check(self, token: bytes, now_us: int) -> int:
        """Until when (us) ``token`` is good. Raises ``Unauthorized`` if it is not."""
        parts = _FORM.fullmatch(token)
        if parts is None:
            raise _bad()
        key = self._key
        if key is None:
            async with self._turn:
                key = await self._signing_key()
        if not hmac.compare_digest(_encoded(_signature(key, parts[1])), parts[2]):
            raise _bad()
        until_us = int.from_bytes(_decoded(parts[1])[:8], "big") * _SECOND_US
        if now_us >= until_us:
            raise unauthorized("The admin's login has expired. Log in again.")
        if (
            until_us > now_us + (LIFETIME_S + SKEW_S) * _SECOND_US
        ):  # nobody makes such: a clock was wrong, or a key lost
            raise _bad()
        return until_us

    def _knows(self, password: str) -> bool:
        guess = password.encode()
        if self._hash is None:
            return hmac.compare_digest(hashlib.sha256(guess).digest(), self._digest)
        try:
            return argon2.PasswordHasher().verify(self._hash, guess)
        except (VerificationError, InvalidHashError):
            return False

    async def _signing_key(self) -> bytes:
        """Made slowly, once: who steals a token must not learn the password from it by trying."""
        if self._key is None:
            self._key = await asyncio.to_thread(
                hashlib.scrypt, self._seed, salt=b"weighbridge admin tokens", n=1 << 14, r=8, p=1, dklen=32
            )
        return self._key


def _seed(password: str, secret: str | None) -> bytes:
    parts = [hashlib.blake2b(part.encode()).digest() for part in (password, secret or "")]
    return hashlib.blake2b(b"".join(parts), key=b"weighbridge admin tokens").digest()


def _signature(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, PREFIX + said, hashlib.sha256)


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        raise _bad() from None


def _bad() -> Exception:
    return unauthorized("The admin's login is not good here. Log in again.")
