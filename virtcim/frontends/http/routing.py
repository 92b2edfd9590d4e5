"""Which routes of the front ends a request may take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from virtcim.frontends.http.exchange import HTTPFault, Route

__all__ = ["Refuser", "Routes"]

Refuser = Callable[[HTTPFault], tuple[bytes, Mapping[str, str]]]
"""Writes body and headers of a refusal (`Route.refuse`)."""


class Routes:
    """All routes, found by method, path and listener.

    Parameters:
        routes: in the order in which they are asked.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._all = list(routes)
        ways = {(method, route.listener) for route in self._all for method in route.methods}
        self._by_way = {(method, listener): _Paths(self._through(method, listener)) for method, listener in ways}

    def _through(self, method: str, listener: str | None) -> list[Route]:
        return [each for each in self._all if method in each.methods and each.listener == listener]

    def find(self, method: str, path: str, listener: str) -> Sequence[Route]:
        """The routes for a method and a path, those that name the path before those for any; none where there is none.

        Parameters:
            listener: what the client connected to: where it has routes for the method, no others count.
        """
        paths = self._by_way.get((method, listener)) or self._by_way.get((method, None))
        return paths.find(path) if paths is not None else ()

    def methods(self, path: str, listener: str = "") -> list[str]:
        """The methods of HTTP that there is a route for at a path; at `*`, those of the server (RFC 9110, 9.3.7)."""
        known = dict.fromkeys(method for route in self._all for method in route.methods)
        return [each for each in known if self.find(each, path, listener)]

    def refuser(self, path: str) -> Refuser | None:
        """What writes the refusals of a path, whatever the method: the route that says most of the path."""
        found = [each for each in self._all if each.path == path or each.leads_to(path)]
        return max(found, key=lambda each: (each.path == path, len(each.path or ""))).refuse if found else None


class _Paths:
    """The routes of one method through one listener, by path."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[str, list[Route]] = {}
        for each in routes:
            if each.path is not None:
                self._exact.setdefault(each.path, []).append(each)
        leading = (each for each in routes if each.path is not None and each.path.endswith("*"))
        self._leading = sorted(leading, key=lambda each: len(each.path or ""), reverse=True)
        self._any = [each for each in routes if each.path is None]

    def find(self, path: str) -> Sequence[Route]:
        """The routes that name a path, else those that say most of it, else those for every path."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        longest = next((each.path for each in self._leading if each.leads_to(path)), None)
        return self._any if longest is None else self._exact[longest]
