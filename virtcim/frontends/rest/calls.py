"""One call of the REST interface, and how its parameters and its body are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from virtcim.cimom.requests import AssociationFilter, Caller, Projection
from virtcim.frontends.rest.answers import Refusal
from virtcim.frontends.rest.targets import decoded
from virtcim.immutable import immutable

__all__ = ["MAX_BATCH", "READ", "Call", "check_names", "flag", "names_in"]

MAX_BATCH = 100
"""Calls in one request."""

READ = ("properties", "filter", "language", "max", "names", "deep")
"""The parameters of what reads instances."""


@immutable
class Call:
    """One call: a request, or one of several in it.

    Attributes:
        method: GET, POST, ...
        segments: of the path, behind `/api/`, as they were sent.
        query: the parameters in the URL.
        body: of JSON; None for none.
        if_match: the ETags that the instance may have; "" for any.
        caller: who asks.
    """

    method: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    body: Any
    if_match: str
    caller: Caller

    @property
    def namespace(self) -> str:
        """The namespace that the path names."""
        return decoded(self.segments[1])

    def flag(self, name: str, default: bool = False) -> bool:
        """Read a parameter that is true or false, as `flag`."""
        return flag(self.query, name, default)

    def number(self, name: str, most: int) -> int:
        """Read a parameter that is a number from 1 to `most`.

        Raises:
            Refusal: 400 for anything else.
        """
        given = self.query[name]
        if not (given.isascii() and given.isdigit()) or len(given) > 12 or not 1 <= int(given) <= most:
            raise Refusal(400, f"{name}={given[:60]}: is no number that can be; expected 1 to {most}")
        return int(given)

    def is_of_names(self) -> bool:
        """Whether only the names of instances are asked for, which are told whole.

        Raises:
            Refusal: something else is asked for that is not done with names.
        """
        if not self.flag("names"):
            return False
        further = [name for name in READ if name != "names" and name in self.query]
        if further:
            raise Refusal(400, f"{further[0]}: is not done with names; expected one of the two")
        return True

    def projection(self) -> Projection:
        """Read which properties are asked for."""
        given = self.query.get("properties")
        return Projection() if given is None else Projection(names_in(given))

    def ends(self) -> AssociationFilter:
        """Read which associations and which objects at their other ends are asked for."""
        query = self.query
        return AssociationFilter(
            query.get("associationClass"), query.get("resultClass"), query.get("role"), query.get("resultRole")
        )

    def members(self, *names: str) -> Mapping[str, Any]:
        """Read the body, which has to be an object with no other members than these.

        Raises:
            Refusal: 400 for anything else.
        """
        body = {} if self.body is None else self.body
        if not isinstance(body, dict):
            raise Refusal(400, "The body is not an object; expected {...} in JSON")
        check_names(body, names, "member of the body")
        return body


def check_names(given: Iterable[str], known: Iterable[str], kind: str) -> None:
    """Check that what is given are names that are known.

    Parameters:
        kind: what a name is one of.

    Raises:
        Refusal: 400 for the first that is not.
    """
    for name in given:
        if name not in known:
            raise Refusal(400, f"{name[:60]}: is no {kind}; expected {', '.join(known) or 'none'}")


def flag(query: Mapping[str, str], name: str, default: bool = False) -> bool:
    """Read a parameter that is true or false; true where it is given without a value.

    Raises:
        Refusal: 400 for anything else.
    """
    given = query.get(name)
    if given is None:
        return default
    if given.lower() not in {"", "true", "false"}:
        raise Refusal(400, f"{name}={given[:60]}: is neither true nor false")
    return given.lower() != "false"


def names_in(text: str) -> frozenset[str]:
    """Split a list of names with commas between, in lower case."""
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())
