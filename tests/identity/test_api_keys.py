import hashlib
import re

import pytest

from gateway.core.problems import Unauthorized
from gateway.identity.api_keys import ApiKey, ApiKeys, generate_key
from tests.identity.tokens import NOW, WORKSPACE

KEY = generate_key()
KEPT = ApiKey(id=KEY.id, sha256=KEY.sha256, user="ann", role="admin")


def sent(key: str = KEY.key) -> bytes:
    return key.encode()


def test_a_generate_key_has_256_random_bits_and_only_its_hash_is_kept() -> None:
    assert re.fullmatch(r"wb_[a-z0-9]{12}_[A-Za-z0-9]{43}", KEY.key)
    assert KEY.sha256 == hashlib.sha256(KEY.key.split("_")[2].encode()).hexdigest()
    assert KEY.hash == "sha256:" + KEY.sha256
    assert generate_key().key != KEY.key
    assert KEY.key.split("_")[2] not in repr(KEY)


def test_a_good_key_says_who_holds_it() -> None:
    found = ApiKeys([KEPT]).verify(sent(), NOW)
    assert (found.proof, found.user, found.role, found.bound) == ("api_key", "ann", "admin", False)


def test_a_workspaces_own_key_needs_no_user_and_is_bound_to_it() -> None:
    kept = ApiKey(id=KEY.id, sha256=KEY.sha256, workspace=WORKSPACE.upper())
    found = ApiKeys([kept]).verify(sent(), NOW)
    assert (found.user, found.workspace, found.bound) == (None, WORKSPACE, True)
    assert found.workspaces == {WORKSPACE}


def test_unknown_wrong_and_revoked_keys_get_one_answer() -> None:
    secret = KEY.key.rsplit("_", 1)[1]
    answers = set()
    for keys, text in (
        (ApiKeys([]), KEY.key),
        (ApiKeys([KEPT]), f"wb_unknown_{secret}"),
        (ApiKeys([KEPT]), f"wb_{KEY.id}_{'x' * 43}"),
        (ApiKeys([ApiKey(id=KEY.id, sha256=KEY.sha256, user="ann", revoked=True)]), KEY.key),
    ):
        with pytest.raises(Unauthorized) as caught:
            keys.verify(sent(text), NOW)
        answers.add(caught.value.message)
    assert len(answers) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wb_",
        "wb_a",
        "wb_a_",
        "WB_" + KEY.key[3:],
        KEY.key + " ",
        " " + KEY.key,
        KEY.key + "-",
        f"wb_{KEY.id}__{'x' * 43}",
    ],
    ids=range(9),
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Unauthorized, match="form"):
        ApiKeys([KEPT]).verify(sent(text), NOW)


def test_a_key_is_good_until_it_expires() -> None:
    keys = ApiKeys([ApiKey(id=KEY.id, sha256=KEY.sha256, user="ann", expires_us=NOW)])
    assert keys.verify(sent(), NOW - 1).expires_us == NOW
    with pytest.raises(Unauthorized, match="expired"):
        keys.verify(sent(), NOW)


@pytest.mark.parametrize(
    "kept",
    [
        [KEPT, KEPT],
        [ApiKey(id="a", sha256=KEY.sha256)],
        [ApiKey(id="a", sha256=KEY.sha256, user="")],
        [ApiKey(id="a", sha256=KEY.sha256, user="ann", workspace=" ")],
        [ApiKey(id="a", sha256=KEY.key, user="ann")],
        [ApiKey(id="a", sha256=KEY.sha256.upper(), user="ann")],
        [ApiKey(id="no_such", sha256=KEY.sha256, user="ann")],
    ],
)
def test_keys_that_cannot_work_are_refused_at_once(kept: list[ApiKey]) -> None:
    with pytest.raises(ValueError, match="API key") as caught:
        ApiKeys(kept)
    assert KEY.key not in str(caught.value)
