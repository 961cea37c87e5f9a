"""When a WebSocket's credential cannot be judged just now, that ends nothing but what has expired."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.core.problems import Forbidden, StoreUnavailable, TooManyQuestions, Unauthorized
from gateway.proxy.ward import ASK_S, EXPIRED, NO_MEMBER, REVOKED, UNKNOWN, Ward
from gateway.proxy.way import Goodbye

EXPIRES = 1_000
BOB = SimpleNamespace(credential=SimpleNamespace(expires_us=EXPIRES), principal=SimpleNamespace(user="bob"), asked=None)
TO_BE_FETCHED = None


class Authenticator:
    """Says the same each time, until keys have been fetched: then ``later``."""

    def __init__(self, says: object, later: object = None) -> None:
        self.changes = 0
        self.says, self.later = says, later
        self.fetched = 0

    def identify_now(self, *_who: object, **_how: object) -> Any:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    async def identify(self, *who: object, **how: object) -> Any:
        self.fetched += 1
        self.says = self.later
        return self.identify_now(*who, **how)


def running(says: object, later: object = None) -> Any:
    return SimpleNamespace(authenticator=Authenticator(says, later), snapshot=SimpleNamespace(), membership=None)


def ward(workspace: str | None = None, world: object = None) -> Ward:
    rule = SimpleNamespace(of_frames=lambda: None, max_age_us=None, public=False, enforce=False)
    request = SimpleNamespace(headers=[], peer="")
    trip = SimpleNamespace(
        running=running(BOB), identified=BOB, request=request, query=b"", path_workspace=None, id="an id"
    )
    principal = SimpleNamespace(workspace=workspace, verified=True)
    visit = SimpleNamespace(rule=rule, principal=principal, snapshot=None)
    return Ward(cast("Any", trip), cast("Any", visit), cast("Any", world), 0.0)


@pytest.mark.parametrize(
    ("says", "before", "after"),
    [
        (StoreUnavailable("The keys cannot be had."), None, EXPIRED),
        (TO_BE_FETCHED, None, EXPIRED),
        (Unauthorized("forged"), REVOKED, EXPIRED),
        (BOB, None, None),
    ],
    ids=["keys cannot be had", "keys are to be fetched", "not good any more", "good"],
)
def test_what_cannot_be_judged_just_now_goes_on_until_it_expires(
    says: object, before: Goodbye | None, after: Goodbye | None
) -> None:
    now = running(says)
    assert ward().over(now, EXPIRES - 1, 1.0) == before
    assert ward().over(now, EXPIRES, 1.0) == after


@pytest.mark.parametrize(
    ("later", "goodbye"),
    [(BOB, None), (Unauthorized("unknown key"), REVOKED), (StoreUnavailable("The keys cannot be had."), None)],
    ids=["good", "not good", "cannot be had"],
)
async def test_keys_are_fetched_and_then_it_is_judged(later: object, goodbye: Goodbye | None) -> None:
    here, now = ward(), running(TO_BE_FETCHED, later)
    assert not here.doubts(now, 1, 1.0), "nothing has changed yet"
    assert here.over(now, 1, 1.0) is None
    assert here.doubts(now, 1, 1.0)
    assert await here.ask(now, 1, 1.0) == goodbye
    assert now.authenticator.fetched == 1
    assert not here.doubts(now, 1, 1.0)


async def test_keys_that_do_not_come_are_not_asked_for_all_the_time() -> None:
    here, now = ward(), running(TO_BE_FETCHED, TO_BE_FETCHED)
    here.over(now, 1, 1.0)
    await here.ask(now, 1, 1.0)
    assert here.over(now, 1, 2.0) is None
    assert not here.doubts(now, 1, 2.0)
    assert here.doubts(now, 1, 1.0 + ASK_S)


class Membership:
    """Nobody is known to be a member; asking raises."""

    def __init__(self, raises: Exception) -> None:
        self.raises = raises

    def known(self, *_who: object) -> None:
        return None

    async def ask(self, *_who: object) -> None:
        raise self.raises


@pytest.mark.parametrize(
    ("raises", "paying", "looking"),
    [
        (Forbidden("Not a member."), NO_MEMBER, NO_MEMBER),
        (StoreUnavailable("The upstream is silent."), UNKNOWN, None),
        (TooManyQuestions("Too many workspaces."), UNKNOWN, None),
    ],
    ids=["no member", "nobody knows", "asked too much"],
)
async def test_who_asks_too_much_is_still_a_member(raises: Exception, paying: Goodbye, looking: Goodbye | None) -> None:
    now = running(BOB)
    now.membership, now.authenticator.carried = Membership(raises), lambda *_: ()
    live = SimpleNamespace(running=now)
    here = ward("acme", SimpleNamespace(live=live, now_us=lambda: 1))
    here._authenticator = now.authenticator
    assert await here.ask(now, 1, 1.0) == looking
    assert await here.pay() == paying
