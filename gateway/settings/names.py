"""Words with a form: header names, slugs, methods, path patterns, networks."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, PlainValidator, Strict

from gateway.core.scope import normalise_id
from gateway.settings.base import wrong

Kind = Literal["workspace", "user", "address"]
"""The kinds of scopes that can hold a budget."""


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VISIBLE = re.compile(r"[^\x00-\x1f\x7f]+")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?")


def _text(value: str) -> str:
    if not value:
        raise wrong("must not be empty")
    if not _VISIBLE.fullmatch(value):
        raise wrong("must not contain control characters")
    return value


def _header(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise wrong("must be a header name: letters, digits and hyphens")
    return value


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise wrong("must be a short name of letters, digits, dots, hyphens and underscores")
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise wrong("must be a path such as /billing, and not / alone")
    return value


def _id(value: str) -> str:
    normal = normalise_id(value)
    if normal is None:
        raise wrong("must be an id: 1 to 255 characters that print, without white space at its ends")
    return normal


def _network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        network = ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise wrong("must be a network without host bits, such as 10.0.0.0/8 or fd00::/8") from None
    if network.prefixlen == 0:
        raise wrong("this is the whole internet: everybody could claim to be anybody")
    return network


def _listed(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, tuple):
        return value
    raise wrong("must be a list")


Listed = (Strict(strict=False), BeforeValidator(_listed))
"""Use as ``Annotated[tuple[X, ...], *Listed]``: a YAML list, kept as a tuple; its items stay strict."""

Text = Annotated[str, AfterValidator(_text)]
HeaderName = Annotated[str, AfterValidator(_header)]
Slug = Annotated[str, AfterValidator(_slug)]
Prefix = Annotated[str, AfterValidator(_prefix)]
ScopeId = Annotated[str, AfterValidator(_id)]
"""Kept in the spelling that keys money: UUIDs are canonical."""
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]
