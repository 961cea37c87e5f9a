"""All routes of the API, from the modules that declare them."""

from collections.abc import Iterable

from gateway.api import session
from gateway.api.route import Route


def routes(*, with_store: bool) -> Iterable[Route]:
    """The routes. ``with_store``: those that need one too, whose modules load SQLAlchemy."""
    yield from session.ROUTES
    if with_store:
        yield from _of_store()


def _of_store() -> Iterable[Route]:
    yield from ()
