"""The pulled enumerations (DSP0200 1.4, section 5.4.2.24): opening, pulling, closing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from virtcim.cimom.pull import Enumeration, Enumerations
from virtcim.cimom.query import parse_filter
from virtcim.cimom.reading import Reader, Scope
from virtcim.cimom.requests import (
    ALL,
    AssociationFilter,
    CloseEnumeration,
    OpenAssociatorInstancePaths,
    OpenAssociatorInstances,
    OpenEnumerateInstancePaths,
    OpenEnumerateInstances,
    Opening,
    OpenQueryInstances,
    OpenReferenceInstancePaths,
    OpenReferenceInstances,
    Projection,
    PullInstancePaths,
    PullInstances,
    PullInstancesWithPath,
)
from virtcim.cimom.results import Batch, Nothing, PullKind
from virtcim.cimom.selection import Selector, selecting
from virtcim.cimom.settings import ServerSettings
from virtcim.providers.interface import CIMError, Instance, InstancePath, Status
from virtcim.schema.classes import ClassDeclaration, ClassStore

__all__ = ["PullOperations"]

Selects: TypeAlias = Callable[[Instance], bool]

Find: TypeAlias = Callable[[Scope, InstancePath, AssociationFilter], Iterator[Instance]]
"""Finds what an association leads to, or the association itself."""

OpenLinks: TypeAlias = (
    OpenAssociatorInstances | OpenAssociatorInstancePaths | OpenReferenceInstances | OpenReferenceInstancePaths
)


class PullOperations:
    """Carries out the operations on enumerations.

    Parameters:
        classes: the class store.
        settings: limits.
        reader: finds instances.
        selector: carries out queries.
    """

    def __init__(self, classes: ClassStore, settings: ServerSettings, reader: Reader, selector: Selector) -> None:
        self.enumerations = Enumerations(settings)
        self._max_objects = settings.pull_max_objects
        self._classes = classes
        self._reader = reader
        self._selector = selector

    def open_enumerate_instances(self, request: OpenEnumerateInstances, scope: Scope) -> Batch:
        """OpenEnumerateInstances."""
        declared = self._reader.declaration(scope, request.class_name)
        projection = request.projection if request.deep else replace(request.projection, limit_class=declared.name)
        return self._open_class(scope, declared.name, PullKind.INSTANCES_WITH_PATH, projection, request.opening)

    def open_enumerate_instance_paths(self, request: OpenEnumerateInstancePaths, scope: Scope) -> Batch:
        """OpenEnumerateInstancePaths."""
        declared = self._reader.declaration(scope, request.class_name)
        return self._open_class(scope, declared.name, PullKind.INSTANCE_PATHS, ALL, request.opening)

    def _open_class(
        self, scope: Scope, class_name: str, kind: PullKind, projection: Projection, opening: Opening
    ) -> Batch:
        timeout = self.enumerations.timeout(opening.timeout)
        selects = self._filter(opening, class_name)
        errors: list[CIMError] = []
        waiting: list[Instance | CIMError] = []
        for _, instances in self._reader.everything(scope, class_name, errors.append):
            waiting += instances
        if opening.continue_on_error:
            waiting += errors
        return self._open(scope, Enumeration(kind, waiting, projection, selects), opening, timeout)

    def open_associator_instances(self, request: OpenAssociatorInstances, scope: Scope) -> Batch:
        """OpenAssociatorInstances."""
        return self._open_links(
            scope, self._reader.associated, request, PullKind.INSTANCES_WITH_PATH, request.projection
        )

    def open_associator_instance_paths(self, request: OpenAssociatorInstancePaths, scope: Scope) -> Batch:
        """OpenAssociatorInstancePaths."""
        return self._open_links(scope, self._reader.associated, request, PullKind.INSTANCE_PATHS, ALL)

    def open_reference_instances(self, request: OpenReferenceInstances, scope: Scope) -> Batch:
        """OpenReferenceInstances."""
        return self._open_links(
            scope, self._reader.referring, request, PullKind.INSTANCES_WITH_PATH, request.projection
        )

    def open_reference_instance_paths(self, request: OpenReferenceInstancePaths, scope: Scope) -> Batch:
        """OpenReferenceInstancePaths."""
        return self._open_links(scope, self._reader.referring, request, PullKind.INSTANCE_PATHS, ALL)

    def _open_links(
        self, scope: Scope, find: Find, request: OpenLinks, kind: PullKind, projection: Projection
    ) -> Batch:
        opening = request.opening
        timeout, selects = self.enumerations.timeout(opening.timeout), self._filter(opening, None)
        found = find(scope, request.path, request.filter)
        return self._open(scope, Enumeration(kind, found, projection, selects), opening, timeout)

    def open_query_instances(self, request: OpenQueryInstances, scope: Scope) -> Batch:
        """OpenQueryInstances."""
        opening = request.opening
        timeout = self.enumerations.timeout(opening.timeout)
        if opening.language is None or opening.query is None:
            raise CIMError(Status.INVALID_PARAMETER, "FilterQueryLanguage and FilterQuery are needed")
        selection = self._selector.select(scope, opening.language, opening.query, opening.continue_on_error)
        result_class = self._result_class(scope, selection.class_name) if request.with_result_class else None
        enumeration = Enumeration(
            PullKind.INSTANCES, selection.instances, selection.projection, selection.selects, opening.continue_on_error
        )
        return self._open(scope, enumeration, opening, timeout, result_class)

    def _result_class(self, scope: Scope, class_name: str | None) -> ClassDeclaration:
        """The class of the query's results: that in FROM."""
        if class_name is None:
            raise CIMError(Status.QUERY_FEATURE_NOT_SUPPORTED, "The results of this query have no common class")
        return self._reader.declaration(scope, class_name)

    def _filter(self, opening: Opening, class_name: str | None) -> Selects | None:
        """The filter query of an operation: its language and its text come together or not at all."""
        if opening.language is None and opening.query is None:
            return None
        if opening.language is None or opening.query is None:
            raise CIMError(Status.INVALID_PARAMETER, "FilterQueryLanguage and FilterQuery are given together")
        return selecting(parse_filter(opening.language, opening.query).compile(self._classes, class_name))

    def _open(
        self,
        scope: Scope,
        enumeration: Enumeration,
        opening: Opening,
        timeout: float,
        result_class: ClassDeclaration | None = None,
    ) -> Batch:
        enumeration.continue_on_error = opening.continue_on_error
        taken = enumeration.take(min(opening.max_objects, self._max_objects), opening=True)
        context = None
        if enumeration.waiting:
            self.enumerations.add(enumeration, scope.context.principal, scope.namespace.name, timeout)
            context = enumeration.context
        return Batch(
            scope.namespace.name, enumeration.kind, taken, context, enumeration.projection, result_class=result_class
        )

    def pull_instances_with_path(self, request: PullInstancesWithPath, scope: Scope) -> Batch:
        """PullInstancesWithPath."""
        return self._pull(scope, PullKind.INSTANCES_WITH_PATH, request.context, request.max_objects)

    def pull_instance_paths(self, request: PullInstancePaths, scope: Scope) -> Batch:
        """PullInstancePaths."""
        return self._pull(scope, PullKind.INSTANCE_PATHS, request.context, request.max_objects)

    def pull_instances(self, request: PullInstances, scope: Scope) -> Batch:
        """PullInstances."""
        return self._pull(scope, PullKind.INSTANCES, request.context, request.max_objects)

    def _pull(self, scope: Scope, kind: PullKind, context: str, count: int) -> Batch:
        name = scope.namespace.name
        taken, projection, following = self.enumerations.pull(context, scope.context.principal, name, kind, count)
        return Batch(name, kind, taken, following, projection)

    def close_enumeration(self, request: CloseEnumeration, scope: Scope) -> Nothing:
        """CloseEnumeration."""
        self.enumerations.close(request.context, scope.context.principal, scope.namespace.name)
        return Nothing(scope.namespace.name)
