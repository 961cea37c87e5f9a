"""Whom a route answers."""

from enum import Enum


class Who(Enum):
    """Whom a route answers. There is no default: a route says it, or it cannot be made."""

    ANYBODY = "anybody"
    """Credentials are neither needed nor judged."""
    SIGNED = "signature"
    """A provider's signature over the body, which the handler checks; credentials are not looked at."""
    USER = "auth"
    """Whoever has proved who they are."""
    ADMIN = "admin"
    """Global admins."""


class Policy(Enum):
    """What a workspace's member must be allowed to, to act for it on a route. Admins may everywhere."""

    MEMBER = "member"
    """Any member."""
    READ = "billing.read"
    MANAGE = "billing.manage"
