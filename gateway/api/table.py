"""All routes of the API, from the modules that declare them."""

from collections.abc import Iterable

from gateway.api import config, explain, history, openapi, overview, session, usage
from gateway.api.route import Route

_ALWAYS = (
    session,
    openapi,
    usage,
    history,
    explain,
    overview,
    config,
)


def routes(*, with_store: bool) -> Iterable[Route]:
    """The routes. ``with_store``: those that need one too, whose modules load SQLAlchemy."""
    for module in _ALWAYS:
        yield from module.ROUTES
    if with_store:
        yield from _of_store()


def _of_store() -> Iterable[Route]:
    # A gateway without a store does not load SQLAlchemy.
    from gateway.api import (  # noqa: PLC0415
        audit,
        checkout,
        directory,
        keys,
        payments,
        plans,
        provider,
        subscriptions,
        sync,
        weights,
    )

    for module in (
        plans,
        subscriptions,
        weights,
        keys,
        audit,
        directory,
        checkout,
        payments,
        provider,
        sync,
    ):
        yield from module.ROUTES
