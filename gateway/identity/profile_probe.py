"""Who the upstream says the caller is: its ``GET /user/me`` (wacraft.md 1.4), asked with the caller's own credential.

What it says counts for a minute, one question at a time per user and credential. Of the answer only id, role, name and
whether the e-mail address is verified are kept; wacraft's holds a password hash as well, which goes no further.
"""

import json
from dataclasses import dataclass
from enum import Enum
from functools import partial

from gateway.core.scope import normalise_id
from gateway.identity.asking import SECOND_US, Asking, Bounds, Fetch, unavailable
from gateway.identity.cache import Kept
from gateway.identity.called import called
from gateway.identity.config import Identified
from gateway.identity.membership import Carried, Relayed
from gateway.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Profile:
    """A user as the upstream knows it. ``role``, ``name``: ``None`` if the upstream says none."""

    id: str
    role: str | None
    email_verified: bool
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileQuestion(Bounds):
    """What is asked, and which fields of the JSON answer are read.

    ``fresh_us``: how long an answer counts. ``stale_us``: how long the last one counts while the upstream does not
    answer. It is short: a role is power, and one that was taken away must not outlive an outage.
    """

    path: str = "/user/me"
    fresh_us: int = 60 * SECOND_US
    stale_us: int = 300 * SECOND_US
    per_user: int = 4
    per_user_minute: int = 30


@dataclass(frozen=True, slots=True)
class _Kept:
    profile: Profile
    at_us: int


class _Outcome(Enum):
    SOMEBODY_ELSE = 1
    UNANSWERED = 2


class ProfileProbe:
    """Asks the upstream. Make one per process; ``forget`` when identities change."""

    def __init__(self, question: ProfileQuestion, fetch: Fetch, tasks: Tasks) -> None:
        if not question.path.startswith("/"):
            raise ValueError("the profile's path must start with /")
        self._question = question
        self._asking: Asking[str, Profile | Relayed | _Outcome] = Asking(question, fetch, tasks, "credentials")
        self._kept: Kept[str, _Kept] = Kept(question.entries)

    def known(self, who: Identified, now_us: int) -> Profile | None:
        """The profile if it is fresh in memory."""
        user = who.principal.user
        return None if user is None else self._within(user, self._question.fresh_us, now_us)

    async def ask(self, who: Identified, carried: Carried, now_us: int) -> Profile | Relayed | None:
        """The caller's profile, or the upstream's refusal (4xx) as it came.

        ``None``: there is none, because nobody is asking, there is nothing to ask with (a key of the gateway's own),
        or the upstream takes the credential for somebody else's (as with a ``user_prefix`` of ours). Raises
        ``StoreUnavailable`` if the upstream does not say, and as ``Asking.join``.
        """
        user = who.principal.user
        if user is None or not carried:
            return None
        if (fresh := self.known(who, now_us)) is not None:
            return fresh
        match await self._asking.join(user, (user, carried), partial(self._answer, user, carried, now_us), now_us):
            case _Outcome.UNANSWERED:
                raise unavailable("Who you are cannot be found out just now.")
            case _Outcome.SOMEBODY_ELSE:
                return None
            case answer:
                return answer

    def forget(self) -> None:
        """Drop every answer; one that is under way is not kept, and nobody new waits for it."""
        self._asking.forget()
        self._kept.clear()

    def _within(self, user: str, age_us: int, now_us: int) -> Profile | None:
        kept = self._kept.get(user)
        return kept.profile if kept is not None and kept.at_us <= now_us < kept.at_us + age_us else None

    async def _answer(self, user: str, carried: Carried, now_us: int) -> Profile | Relayed | _Outcome:
        epoch = self._asking.epoch
        answer = await self._asking.ask(self._question.path.encode(), carried)
        if isinstance(answer, Relayed):
            self._kept.drop(user)
            return answer
        profile = None if answer is None else _read(answer.body)
        if profile is None:
            return self._within(user, self._question.stale_us, now_us) or _Outcome.UNANSWERED
        if profile.id != user:
            self._kept.drop(user)
            return _Outcome.SOMEBODY_ELSE
        if epoch == self._asking.epoch:
            self._kept.put(user, _Kept(profile, now_us))
        return profile


def _read(body: bytes) -> Profile | None:
    """The fields of a profile; ``None`` if this is none."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not isinstance(read.get("id"), str):
        return None
    role = read.get("role")
    return Profile(
        id=normalise_id(read["id"]) or "",
        role=role if isinstance(role, str) else None,
        email_verified=read.get("email_verified") is True,
        name=called(read),
    )
