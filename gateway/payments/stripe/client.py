"""Requests to Stripe: one pinned version of its API, bounded time and tries, and errors in our words."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import stripe

from gateway.clock import now_us
from gateway.payments.port import Account, Busy, Declined, Gone, Memory, ProviderError, Strange
from gateway.payments.stripe.pace import Pace

VERSION = "2026-05-27.dahlia"
"""Of the API: requests, answers and webhooks are read in this one, whatever the account's own default is."""
_PAGE = 100
_NO_RIGHT = "right"
_LOCKED = "lock_timeout"
_LIVE, _SANDBOX, _STAND_IN = 40.0, 20.0, 100_000.0
"""Calls a second. Stripe bears 100, in its sandbox 25, of all processes of an account together."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How Stripe is reached. ``account``: whose the key has to be. ``base``: where instead of Stripe itself.

    ``pace``: how often; ``None``: as often as it bears, with room for other processes of the account.
    """

    api_key: str
    account: str | None = None
    base: str | None = None
    timeout_s: float = 20.0
    retries: int = 2
    pace: Pace | None = None

    def __repr__(self) -> str:
        return f"Access(base={self.base!r})"

    @property
    def test(self) -> bool:
        """Whether the key is of the sandbox."""
        return "_test_" in self.api_key[:9]

    @property
    def per_second(self) -> float:
        """How many calls a second at most; what stands in for Stripe bears as many as come."""
        if self.base is not None:
            return _STAND_IN
        return _SANDBOX if self.test else _LIVE


class UsedUp(ProviderError):  # noqa: N818  (what the key is)
    """Asked again under the same key, Stripe would only say this again: for a day it repeats its failures too.

    ``at_once``: the key was used for something else before, so another one may be tried now.
    """

    def __init__(self, message: str, *, code: str, at_once: bool = False) -> None:
        super().__init__(message, retry=True, code=code)
        self.at_once = at_once


class Client:
    """A connection to one account."""

    def __init__(self, access: Access, memory: Memory) -> None:
        self._access, self._memory = access, memory
        self._pace = access.pace or Pace(access.per_second)
        self._whose: Account | None = None
        self._admitted = False
        self._last: tuple[str, int] | None = None
        stripe.enable_telemetry = False
        self._http = stripe.AIOHTTPClient(timeout=access.timeout_s)
        bases = {} if access.base is None else {"base_addresses": {"api": access.base, "files": access.base}}
        self._stripe = stripe.StripeClient(
            access.api_key,
            stripe_version=VERSION,
            max_network_retries=access.retries,
            http_client=self._http,
            **bases,  # type: ignore[arg-type]
        )

    async def whose(self) -> Account:
        """Whose key it is; asked once. Raises ``ProviderError``."""
        if self._whose is None:
            try:
                id_ = str((await self._request("get", "account", {}))["id"])
            except ProviderError as error:
                if error.code != _NO_RIGHT:
                    raise
                id_ = None
            self._whose = Account(id_, self._access.test)
        return self._whose

    async def admitted(self) -> Account:
        """The same, once it was seen that it is whose it has to be. Raises ``Strange``."""
        account = await self.whose()
        if not self._admitted:
            wanted = self._access.account
            if wanted is not None and account.id not in (None, wanted):
                raise Strange(f"The key is of {account.id}, and payments.stripe.account says {wanted}: mend either.")
            await self._memory.admit(account)
            self._admitted = True
        return account

    async def get(self, path: str, **params: object) -> Json:
        """Read. Raises ``ProviderError``."""
        return await self._ask("get", path, params)

    async def post(self, path: str, *, key: str | None = None, **params: object) -> Json:
        """Write. ``key``: the same for the same act, so that Stripe does it once. Raises ``ProviderError``."""
        if key is None:
            return await self._ask("post", path, params)
        try:
            return await self.try_once(path, key, **params)
        except UsedUp as error:
            if not error.at_once:
                raise
        return await self.try_once(path, key, **params)

    async def try_once(self, path: str, key: str, **params: object) -> Json:
        """The same; raises ``UsedUp`` if the key is, and next time the act is asked for under another."""
        attempt = await self._memory.attempt(key)
        try:
            return await self._ask("post", path, params, f"{key}-{attempt}" if attempt else key)
        except UsedUp:
            await self._memory.use_up(key, attempt)
            raise

    async def retried(self, key: str) -> bool:
        """Whether this act has failed before in a way that leaves open what was done."""
        return await self._memory.attempt(key) > 0

    async def delete(self, path: str) -> Json:
        """Remove."""
        return await self._ask("delete", path, {})

    async def every(self, path: str, **params: object) -> AsyncIterator[Json]:
        """All of a list, page by page; oldest first if ``ending_before`` is given, else newest first."""
        forward = "ending_before" in params
        while True:
            page = await self._ask("get", path, {"limit": _PAGE, **params})
            found = page["data"]
            for each in reversed(found) if forward else found:
                yield each
            if not page["has_more"] or not found:
                return
            params["ending_before" if forward else "starting_after"] = found[0 if forward else -1]["id"]

    @property
    def ahead_us(self) -> int | None:
        """By how much the clock here is ahead of Stripe's, by its last answer; ``None``: that does not say."""
        if self._last is None:
            return None
        try:
            there = parsedate_to_datetime(self._last[0])
        except ValueError:
            return None
        return self._last[1] - int(there.timestamp()) * 1_000_000

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def _ask(self, method: str, path: str, params: Mapping[str, object], key: str | None = None) -> Json:
        """Nothing is asked of an account that is not the one which sold what is here."""
        await self.admitted()
        return await self._request(method, path, params, key)

    async def _request(self, method: str, path: str, params: Mapping[str, object], key: str | None = None) -> Json:
        given = {name: value for name, value in params.items() if value is not None}
        if key is not None:
            given["idempotency_key"] = key  # a 429 is not kept under it
        for left in range(self._access.retries, -1, -1):
            await self._pace.turn()
            try:
                return await self._send(method, path, given)
            except stripe.RateLimitError as error:
                if _code(error) == _LOCKED:
                    raise _translated(error) from error
                self._pace.slow_down(_rest_s(error))
                if left == 0:
                    raise Busy from error
            except stripe.StripeError as error:
                raise _translated(error) from error
        raise Busy  # without one try there was no answer

    async def _send(self, method: str, path: str, given: Mapping[str, Any]) -> Json:
        """Once; what only could not be reached, stripe-python sends again. Raises ``StripeError``."""
        answer = await self._stripe.raw_request_async(method, f"/v1/{path}", **given)
        self._pace.went_well()
        self._last = (answer.headers.get("Date") or "", now_us())
        said: Json = orjson.loads(answer.body)
        return said


def _translated(error: stripe.StripeError) -> ProviderError:
    """An error of Stripe's as ours. What it says of keys stays here."""
    code = getattr(error, "code", None) or ""
    said = getattr(error, "user_message", None) or "no reason given"
    if isinstance(error, stripe.CardError):
        return Declined(said, code=code)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        right = isinstance(error, stripe.PermissionError)
        return ProviderError("Stripe does not accept the API key for this.", code=_NO_RIGHT if right else "key")
    if isinstance(error, stripe.InvalidRequestError):
        if code == "resource_missing" or error.http_status == 404:  # noqa: PLR2004
            return Gone("Stripe has no such object.", code=code)
        return ProviderError(f"Stripe refused: {said}", retry=code == _LOCKED, code=code)
    return _for_now(error, code)


def _for_now(error: stripe.StripeError, code: str) -> ProviderError:
    """What may go well later."""
    if isinstance(error, stripe.RateLimitError):  # somebody else changes the same object
        return ProviderError("Stripe is changing this just now.", retry=True, code=_LOCKED)
    if isinstance(error, stripe.IdempotencyError):
        return UsedUp("Stripe has heard something else under this key.", code="idempotency", at_once=True)
    if (error.http_status or 0) >= 500:  # noqa: PLR2004
        return UsedUp("Stripe failed.", code=code or "failed")
    return ProviderError("Stripe cannot be reached, or failed.", retry=True, code=code or type(error).__name__)


def _code(error: stripe.StripeError) -> str:
    """What Stripe calls it. Of a 429 its library reads no code."""
    said = getattr(error.error, "code", None) if error.error is not None else None
    return str(error.code or said or "")


def _rest_s(error: stripe.RateLimitError) -> float | None:
    """For how long Stripe wants not to be asked, if it says so."""
    said = {name.lower(): value for name, value in (error.headers or {}).items()}.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else None
