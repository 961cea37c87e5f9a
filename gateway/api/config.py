"""The configuration that is running: what counts, where it was written, and what is odd about it. For admins."""

from typing import Any

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import Told
from gateway.api.reply import Reply
from gateway.api.route import Who, route


class Setting(Told):
    """One key. ``origin``: file, line and column, or ``default``. No ``value``: it is null. Secrets are masked."""

    key: str
    value: Any = None
    origin: str


class Configuration(Told):
    """``warnings``: allowed, and probably not what was wanted. ``notes``: what does not count."""

    settings: list[Setting]
    warnings: list[str]
    notes: list[str]


async def get_config(_call: Call, desk: Desk) -> Reply:
    """The configuration that is running, with where each value comes from."""
    running = desk.configuration()
    return Reply(
        Configuration(
            settings=[Setting(key=key, value=value, origin=origin) for key, value, origin in running.settings],
            warnings=list(running.warnings),
            notes=list(running.notes),
        )
    )


ROUTES = (route("GET", "/config", get_config, who=Who.ADMIN, tells=Configuration),)
