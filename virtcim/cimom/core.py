"""The core: the one entry for requests, whichever front end they come from, and the rules that hold for all of them.

What stands here stands nowhere else: who may do what, and what is written down.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from functools import partial
from typing import Any, Protocol, TypeVar

from virtcim.cimom import audit
from virtcim.cimom.access import Access, Role, RoleSettings
from virtcim.cimom.context import CallerContext
from virtcim.cimom.namespaces import Namespaces
from virtcim.cimom.operations import Operations
from virtcim.cimom.pulloperations import PullOperations
from virtcim.cimom.reading import Reader, Scope
from virtcim.cimom.requests import REQUESTS, Attempt, Caller, Request
from virtcim.cimom.results import MethodOutcome, Result
from virtcim.cimom.selection import Selector
from virtcim.cimom.settings import ServerSettings
from virtcim.providers.interface import Catalog, CIMError, Status
from virtcim.schema.classes import ClassStore

__all__ = ["Core", "Executor", "execute_as"]

log = logging.getLogger(__name__)

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class Executor(Protocol):
    """Carries out requests: the core, or a translation between it and a front end (`cimom.translation`)."""

    @property
    def access(self) -> Access:
        """Who may do what."""

    @property
    def classes(self) -> ClassStore:
        """The class store."""

    @property
    def namespaces(self) -> Namespaces:
        """Which provider serves which class where."""

    @property
    def revision(self) -> Callable[[str], Hashable]:
        """Gives the revision of everything that the lasting instances of a namespace are made from."""

    def execute(self, request: Request) -> Result:
        """Carry out a request, as `Core.execute` does."""

    def attempt(self, attempt: Attempt, read: Callable[[], Request]) -> Result:
        """Carry out a request that is read late, as `Core.attempt` does."""


Kind = TypeVar("Kind", bound=Result)


def execute_as(core: Executor, request: Request, kind: type[Kind]) -> Kind:
    """Carry out a request whose result is of a known kind.

    Raises:
        CIMError: as `Core.execute`.
    """
    result = core.execute(request)
    assert isinstance(result, kind)
    return result


class Core:
    """Carries out requests.  Safe to use from several threads at once.

    Parameters:
        catalog: which provider serves which class where.
        classes: the class store.
        settings: limits.
        access: decides who may do what; without it, by the roles that `RoleSettings` begins with.

    Attributes:
        catalog: as given.
        namespaces: which provider serves which class there.
        enumerations: the open ones.
        revision: gives the revision of everything that the lasting instances of a namespace are made from
            (`Catalog.revision`).
    """

    def __init__(
        self, catalog: Catalog, classes: ClassStore, settings: ServerSettings, access: Access | None = None
    ) -> None:
        self.access = access or Access(RoleSettings(), {}, classes.ancestors)
        self.classes = classes
        self.catalog = catalog
        self.namespaces = Namespaces(catalog, classes)
        self.revision = catalog.revision
        self._views: list[tuple[Core, Callable[[Catalog], Catalog]]] = []
        reader = Reader(classes)
        selector = Selector(classes, reader)
        pulls = PullOperations(classes, settings, reader, selector)
        self.enumerations = pulls.enumerations
        self._methods = _methods(Operations(classes, reader, selector, catalog.revision), pulls)

    def showing(self, view: Callable[[Catalog], Catalog]) -> Core:
        """Make a core for clients to whom another catalog is shown.

        Access, limits and open enumerations are those of this one.

        Parameters:
            view: makes the catalog that is shown, over the same classes, of the true one.
        """
        made = copy.copy(self)
        made.catalog = view(self.catalog)
        made.namespaces = Namespaces(made.catalog, self.classes)
        made._views = []
        self._views.append((made, view))
        return made

    def serve(self, catalog: Catalog) -> None:
        """Serve another catalog from now on; requests that are under way end with the one that they began with.

        Parameters:
            catalog: its revision counts for nothing: that of the first one has to tell of this one, too.
        """
        self.catalog = catalog
        self.namespaces.show(catalog)
        for core, view in self._views:
            core.serve(view(catalog))

    def execute(self, request: Request) -> Result:
        """Carry out a request.

        Raises:
            CIMError: as the operation has it; ACCESS_DENIED where the caller's role does not suffice; FAILED for what
                nobody foresaw, which is logged.
        """
        return self.attempt(request.attempt(), lambda: request)

    def attempt(self, attempt: Attempt, read: Callable[[], Request]) -> Result:
        """Carry out a request whose values are read only once it is known that the caller may make it.

        Parameters:
            attempt: what is known of the request.
            read: reads the request.

        Raises:
            CIMError: as `execute`, and what `read` raises.
        """
        needed = self.access.needed(attempt.operation, attempt.extrinsic, attempt.class_names)
        change = _change(attempt) if needed > Role.READ else None
        try:
            with change or nullcontext():
                scope, request = self._admit(attempt, read, needed, change)
                result = self._methods[type(request)](request, scope)
                if change is not None and isinstance(result, MethodOutcome):
                    change.return_value = result.return_value
                return result
        except CIMError:
            raise
        except Exception as exc:
            log.exception("%s failed", attempt.operation)
            text = f"{attempt.operation} failed: {type(exc).__name__}: {exc}"
            raise CIMError(Status.FAILED, text) from exc

    def _admit(
        self, attempt: Attempt, read: Callable[[], Request], needed: Role, change: audit.Change | None
    ) -> tuple[Scope, Request]:
        """Decide about a request, and read it; the audit log is told what could be read of it."""
        try:
            self.access.require(attempt.caller.principal, attempt.namespace, needed, attempt.operation)
            scope = self._scope(attempt.namespace, attempt.caller)
            request = read()
        except BaseException:
            if change is not None:
                change.applied_to, change.parameters = attempt.applied_to(), attempt.parameters()
            raise
        if change is not None:
            known = request.attempt()
            change.applied_to, change.parameters = known.applied_to(), known.parameters()
        return scope, request

    def _scope(self, name: str, caller: Caller) -> Scope:
        namespace = self.namespaces[name]
        context = CallerContext(namespace.name, caller.principal.name, caller.request_id, user=caller.principal)
        return Scope(namespace, context, partial(self._may_read, caller))

    def _may_read(self, caller: Caller, namespace: str) -> bool:
        return self.access.may_read(caller.principal, namespace)


def _change(attempt: Attempt) -> audit.Change:
    caller = attempt.caller
    return audit.Change(
        caller.principal,
        caller.origin,
        attempt.namespace,
        attempt.operation,
        caller.request_id,
    )


def _methods(*carriers: object) -> dict[type[Request], Callable[[Any, Scope], Result]]:
    """The method that carries out each request: named as it, in lower case with underscores."""
    found: dict[type[Request], Callable[[Any, Scope], Result]] = {}
    for each in REQUESTS:
        name = _CAPITAL.sub("_", each.__name__).lower()
        found[each] = next(getattr(carrier, name) for carrier in carriers if hasattr(carrier, name))
    return found
