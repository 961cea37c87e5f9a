"""Routes by themselves: what can be declared, and which one a path finds."""

from typing import Any

import pytest

from gateway.api.call import Call
from gateway.api.desk import Desk
from gateway.api.fields import ById
from gateway.api.reply import Reply
from gateway.api.route import Policy, Route, Who, route
from gateway.api.router import Router
from gateway.core.problems import MethodNotAllowed, NotFound


async def answered(_call: Call, _desk: Desk) -> Reply:
    """It is answered."""
    return Reply()


def at(method: Any, template: str) -> Route:
    return route(method, template, answered, who=Who.ANYBODY)


ROUTER = Router(
    [
        at("GET", "/plan/{plan_id}"),
        at("GET", "/plan"),
        at("POST", "/plan"),
        at("POST", "/plan/all"),
        at("GET", "/plan/{plan_id}/price/{price_id}"),
        at("GET", "/assets/{path*}"),
    ]
)


def test_literals_come_before_parameters_and_parameters_are_told() -> None:
    assert ROUTER.find("POST", ("plan", "all")).route.template == "/plan/all"
    found = ROUTER.find("GET", ("plan", "p", "price", "q"))
    assert found.params == {"plan_id": "p", "price_id": "q"}
    assert ROUTER.find("HEAD", ("plan", "p")).route.template == "/plan/{plan_id}"
    assert ROUTER.find("GET", ("assets", "a", "b.js")).params == {"path": "a/b.js"}


@pytest.mark.parametrize(
    "path", [(), ("plans",), ("plan", ""), ("plan", "p", "price"), ("assets",), ("plan", "p", "q", "r")]
)
def test_what_is_not_there_is_not_found(path: tuple[str, ...]) -> None:
    with pytest.raises(NotFound):
        ROUTER.find("GET", path)


@pytest.mark.parametrize(
    ("path", "allow"),
    [(("plan",), b"GET, POST, HEAD"), (("plan", "all"), b"POST"), (("plan", "p"), b"GET, HEAD")],
)
def test_another_method_is_told_what_the_first_template_that_fits_knows(path: tuple[str, ...], allow: bytes) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        ROUTER.find("DELETE", path)
    assert refused.value.headers == ((b"Allow", allow),)


def test_a_route_that_could_not_work_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="who"):
        route("GET", "/a", answered)  # type: ignore[call-arg]
    for template in ("a", "/A"):
        with pytest.raises(ValueError, match="starts with / and is in lower case"):
            at("GET", template)
    with pytest.raises(ValueError, match="either JSON or raw"):
        route("POST", "/a", answered, who=Who.SIGNED, takes=ById, reads_raw=True)
    with pytest.raises(ValueError, match="only a route for users heeds the workspace"):
        route("GET", "/a", answered, who=Who.ADMIN, policy=Policy.READ)
    with pytest.raises(ValueError, match="is there twice"):
        Router([at("GET", "/plan/{a}"), at("GET", "/plan/{b}")])
