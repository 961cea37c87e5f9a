"""``admins``: who may change plans, prices, weights, keys and subscriptions through the billing API."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import argon2
from argon2.exceptions import InvalidHashError
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from gateway.settings.base import Section, wrong
from gateway.settings.names import Listed, ScopeId, Text
from gateway.settings.places import Leaf, Place, Table
from gateway.settings.units import Flag, Interpolated

VARIABLE = "WEIGHBRIDGE_ADMIN_PASSWORD"
"""The environment's variable that sets ``admins.password`` where no file does."""
_SHORTEST, _LONGEST = 12, 1_024
SECRET_CHARACTERS = 32
_MOST_MEMORY_KIB, _MOST_ROUNDS, _MOST_LANES = 256 * 1024, 16, 16


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _password(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text.startswith("$argon2"):
        _check_hash(text)
    elif not _SHORTEST <= len(text) <= _LONGEST:
        raise wrong(f"must have {_SHORTEST} to {_LONGEST} characters, or be an argon2 hash")
    return value


def _token_secret(value: SecretStr) -> SecretStr:
    if not SECRET_CHARACTERS <= len(value.get_secret_value()) <= _LONGEST:
        raise wrong(f"must have {SECRET_CHARACTERS} to {_LONGEST} characters, such as `openssl rand -hex 32` gives")
    return value


def _check_hash(text: str) -> None:
    """Whoever may log in may not be made to fill the memory with one guess."""
    try:
        hashed = argon2.extract_parameters(text)
    except InvalidHashError:
        raise wrong("begins like an argon2 hash and is none") from None
    if hashed.memory_cost > _MOST_MEMORY_KIB or hashed.time_cost > _MOST_ROUNDS or hashed.parallelism > _MOST_LANES:
        raise wrong("is an argon2 hash that costs too much to verify: at most m=262144 (256 MiB), t=16 and p=16")


class AdminsSettings(Section):
    """Who may change plans, prices, weights, keys and subscriptions. Each way suffices; the default is nobody."""

    users: Annotated[tuple[ScopeId, ...], *Listed] = Field(
        default=(), description="Ids of users, as tokens name them (with the issuer's `user_prefix`)."
    )
    claim: dict[Text, Text] = Field(
        default={},
        description="What a token says whose user is an admin: `{role: admin}`. A claim that is a list must hold it.",
    )
    upstream: Flag = Field(
        default=False,
        description="Whether the upstream's `GET /user/me`, asked with the caller's token, makes its role `admin` one.",
    )
    password: Annotated[Annotated[SecretStr, AfterValidator(_password)] | None, BeforeValidator(_none_if_empty)] = (
        Field(
            default=None,
            repr=False,
            description="For `POST /billing/login`: a password of at least 12 characters, or its argon2 hash. Where no "
            f"file says it, the variable `{VARIABLE}` does. `null` or empty: nobody logs in this way.",
        )
    )
    token_secret: Annotated[
        Annotated[SecretStr, AfterValidator(_token_secret)] | None, BeforeValidator(_none_if_empty)
    ] = Field(
        default=None,
        repr=False,
        description="What else signs the tokens of `POST /billing/login`, at least 32 characters, the same on all "
        "replicas. `null` or empty: a password alone signs them, which is as good; with an argon2 hash each process "
        "makes up a key, so that a login is good in that process alone and until it ends.",
    )

    @property
    def hashed(self) -> bool:
        """Whether the password is known by its hash only."""
        return self.password is not None and self.password.get_secret_value().startswith("$argon2")


def with_password(root: Table, env: Mapping[str, str]) -> Table:
    """The configuration with the password of the environment, if no file speaks of one."""
    value, admins = env.get(VARIABLE), root.entries.get("admins")
    if not value or not (admins is None or isinstance(admins, Table)):
        return root
    place = Place(f"${VARIABLE}")
    table = admins or Table(place, "admins", {}, {})
    if "password" in table.entries:
        return root
    leaf = Leaf(place, "admins.password", Interpolated(value))
    table = replace(
        table, entries={**table.entries, "password": leaf}, key_places={**table.key_places, "password": place}
    )
    places = {"admins": place, **root.key_places}
    return replace(root, entries={**root.entries, "admins": table}, key_places=places)
