"""``admins.password`` comes from a file, else from the environment; nothing shows it."""

import pytest

from gateway.settings.admins import VARIABLE
from gateway.settings.problems import SettingsErrors
from tests.settings.conftest import Load

ENV = {VARIABLE: "from the environment"}


def password(loaded: Load, text: str, env: dict[str, str]) -> str | None:
    found = loaded(text, env).admins.password
    return None if found is None else found.get_secret_value()


def test_the_environment_sets_it_where_no_file_does(loaded: Load) -> None:
    assert password(loaded, "", {}) is None
    assert password(loaded, "", ENV) == "from the environment"
    assert password(loaded, "admins: {users: [a]}\n", ENV) == "from the environment"
    assert password(loaded, "admins: {password: from the file}\n", ENV) == "from the file"
    assert password(loaded, "admins: {password: null}\n", ENV) is None
    assert password(loaded, 'admins: {password: "${WEIGHBRIDGE_ADMIN_PASSWORD:-}"}\n', {}) is None


def test_one_that_is_too_short_is_refused_and_not_shown(loaded: Load) -> None:
    with pytest.raises(SettingsErrors) as refused:
        loaded("", {VARIABLE: "tiny word"})
    assert str(refused.value.problems[0]).startswith(f"${VARIABLE}: admins.password: must have 12 to 1024 characters")
    assert "tiny word" not in str(refused.value)
    assert "from the environment" not in repr(loaded("", ENV))
