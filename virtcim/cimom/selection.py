"""What a query selects: ExecQuery and OpenQueryInstances (DSP0200 1.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from virtcim.cimom.query import AssociationQuery, Filter, Language, Predicate, Query, parse
from virtcim.cimom.reading import Reader, Scope
from virtcim.cimom.requests import ALL, AssociationFilter, Projection
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, CIMValue, Instance, InstancePath, Status
from virtcim.schema.classes import ClassStore
from virtcim.schema.paths import parse_path

__all__ = ["Selection", "Selector", "selecting"]

log = logging.getLogger(__name__)


@immutable
class Selection:
    """What a query selects.

    Attributes:
        instances: those to choose from; an error stands for a class that could not be read.
        selects: tells of each whether it is selected; None for all of them.
        projection: the properties that are wanted.
        class_name: the class in FROM; None for a query that names none.
    """

    instances: Iterable[Instance | CIMError]
    selects: Callable[[Instance], bool] | None
    projection: Projection
    class_name: str | None


def selecting(predicate: Predicate) -> Callable[[Instance], bool]:
    """A predicate as a function of the instance."""
    return lambda instance: predicate(instance.class_name, instance.properties())


class Selector:
    """Carries out queries.

    Parameters:
        classes: the class store.
        reader: finds the instances to choose from.
    """

    def __init__(self, classes: ClassStore, reader: Reader) -> None:
        self._classes = classes
        self._reader = reader

    def select(
        self,
        scope: Scope,
        language: str,
        text: str,
        with_errors: bool = False,
        among: frozenset[str] | None = None,
    ) -> Selection:
        """What a query selects.

        Parameters:
            with_errors: put the errors of classes that cannot be read among the instances.
            among: the creation classes that are asked for; None for all.

        Raises:
            CIMError: QUERY_LANGUAGE_NOT_SUPPORTED, INVALID_QUERY, QUERY_FEATURE_NOT_SUPPORTED, INVALID_CLASS; what a
                provider raises.
        """
        query = parse(language, text)
        if isinstance(query, Filter):
            raise CIMError(
                Status.QUERY_LANGUAGE_NOT_SUPPORTED, f"{Language.FQL.value} has filters only; a query is expected"
            )
        if isinstance(query, AssociationQuery):
            return self._follow(scope, query)
        return self._choose(scope, query, with_errors, among)

    def _choose(self, scope: Scope, query: Query, with_errors: bool, among: frozenset[str] | None) -> Selection:
        selects = selecting(query.compile(self._classes))
        declared = self._reader.declaration(scope, query.from_class)
        names = query.projection(self._classes, declared.name)
        wanted = None if names is None else frozenset(name.lower() for name in names)
        errors: list[CIMError] = []
        classes = list(self._reader.everything(scope, declared.name, errors.append, among))
        instances: list[Instance | CIMError] = [each for _, found in classes for each in found]
        if with_errors:
            instances += errors
        return Selection(instances, selects, Projection(wanted), declared.name)

    def _follow(self, scope: Scope, query: AssociationQuery) -> Selection:
        query.check(self._classes)
        path = self._path(scope, query.path)
        given = AssociationFilter(query.assoc_class, query.result_class, query.role, query.result_role)
        if query.references:
            given = AssociationFilter(query.result_class, role=query.role)
        find = self._reader.referring if query.references else self._reader.associated
        instances = list(find(scope, path, given))
        if query.keys_only:
            keys = {key.lower() for each in instances for key in self._classes[each.class_name].keys}
            return Selection(instances, None, Projection(frozenset(keys)), query.result_class)
        return Selection(instances, None, ALL, query.result_class)

    def _path(self, scope: Scope, path: InstancePath) -> InstancePath:
        """A path in a query, with the one key that has no name given its name, and references read."""
        declared = self._reader.declaration(scope, path.class_name)
        keys: dict[str, CIMValue] = {}
        for name, value in path.keys.items():
            if not name and len(declared.keys) != 1:
                raise CIMError(Status.INVALID_QUERY, f"{declared.name} does not have just one key")
            found = declared.properties.get((name or declared.keys[0]).lower())
            if found is not None and found.type == "reference" and isinstance(value, str):
                try:
                    value = parse_path(value)
                except ValueError as exc:
                    raise CIMError(Status.INVALID_QUERY, f"{name} {exc}") from None
            keys[found.name if found else name] = value
        return InstancePath(declared.name, keys, path.namespace)
