"""Which route a request takes: by method, path and where it came in."""

from __future__ import annotations

from collections.abc import Mapping

from virtcim.frontends.http.exchange import Exchange, HTTPFault, Reply, Route
from virtcim.frontends.http.routing import Routes


async def answer(_exchange: Exchange) -> Reply:
    return Reply()


def refuse(fault: HTTPFault) -> tuple[bytes, Mapping[str, str]]:
    return fault.text.encode(), {}


EXACT = Route("GET", answer, "/api/guests")
OTHER_BODY = Route("GET", answer, "/api/guests", frozenset({"text/plain"}))
NEAR = Route("GET", answer, "/api/guests/*")
FAR = Route("GET", answer, "/api/*", refuse=refuse)
EVERY = Route("POST", answer)
OWN = Route("POST", answer, listener="[::1]:5990")
ROUTES = Routes([FAR, EXACT, OTHER_BODY, NEAR, EVERY, OWN])


def test_the_route_that_says_most_of_the_path_is_taken() -> None:
    for method in ("GET", "HEAD"):
        assert ROUTES.find(method, "/api/guests", "") == [EXACT, OTHER_BODY]
        assert ROUTES.find(method, "/api/guests/one", "") == [NEAR]
        assert ROUTES.find(method, "/api/nodes", "") == [FAR]
        assert not ROUTES.find(method, "/elsewhere", "")
    assert ROUTES.find("POST", "/elsewhere", "") == [EVERY]
    assert not ROUTES.find("PUT", "/api/guests", "")


def test_the_methods_of_a_path() -> None:
    assert ROUTES.methods("/api/nodes") == ["GET", "HEAD", "POST"]
    assert ROUTES.methods("/elsewhere") == ROUTES.methods("*") == ["POST"]


def test_a_listener_with_routes_of_its_own_has_no_others() -> None:
    assert ROUTES.find("POST", "/", "[::1]:5990") == [OWN]
    assert ROUTES.find("GET", "/api/guests", "[::1]:5990") == [EXACT, OTHER_BODY]


def test_refusals_are_written_by_the_route_that_says_most() -> None:
    assert ROUTES.refuser("/api/nodes") is refuse
    assert ROUTES.refuser("/api/guests/one") is None
    assert ROUTES.refuser("/elsewhere") is None
