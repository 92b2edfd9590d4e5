"""What the reading operations have in common: which instances a request is about.

Beside the provider interface there is one rule: a broken provider takes nothing from what the others have.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from virtcim.cimom.associations import Direction, Filters, key_of
from virtcim.cimom.keys import own_keys, require_keys
from virtcim.cimom.namespaces import Namespace
from virtcim.cimom.requests import AssociationFilter
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, Instance, InstancePath, InstanceProvider, Keys, RequestContext, Status
from virtcim.schema.classes import ClassDeclaration, ClassStore

__all__ = ["Reader", "Scope"]

log = logging.getLogger(__name__)


@immutable
class Scope:
    """Where an operation is carried out, and for whom.

    Attributes:
        namespace: the target namespace.
        context: for providers.
        may_read: tells whether who asks may read another namespace, to which an association leads.
    """

    namespace: Namespace
    context: RequestContext
    may_read: Callable[[str], bool]


class Reader:
    """Finds instances.

    Parameters:
        classes: the class store.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._classes = classes

    def declaration(self, scope: Scope, name: str, unknown: Status = Status.INVALID_CLASS) -> ClassDeclaration:
        """The class with this name in a namespace.

        Parameters:
            unknown: the error for a class that does not exist there.

        Raises:
            CIMError: that error.
        """
        declaration = self._classes.get(name) if scope.namespace.shown.has(name) else None
        if declaration is None:
            raise CIMError(unknown, f"Class {name} does not exist" if name else "The name of a class is empty")
        return declaration

    def source_class(self, scope: Scope, name: str) -> ClassDeclaration:
        """The class of an association operation's source.

        Raises:
            CIMError: INVALID_PARAMETER for one that does not exist: these operations do not have INVALID_CLASS (DSP0200
                1.4, sections 5.3.2.14 to 5.3.2.17).
        """
        return self.declaration(scope, name, Status.INVALID_PARAMETER)

    def target(self, scope: Scope, path: InstancePath) -> tuple[InstanceProvider, ClassDeclaration, Keys]:
        """The provider of an instance that a client names, its class, and the keys that the class has.

        Raises:
            CIMError: INVALID_CLASS; NOT_FOUND for a class without a provider; INVALID_PARAMETER for an incomplete path.
        """
        declaration = self.declaration(scope, path.class_name)
        provider = _provider(scope, declaration)
        keys = own_keys(declaration, path.keys)
        require_keys(declaration, keys)
        return provider, declaration, keys

    def instance(self, scope: Scope, path: InstancePath) -> Instance:
        """The instance that a client names.  Raises CIMError as `target` and its provider do."""
        provider, declaration, keys = self.target(scope, path)
        return provider.get_instance(declaration.name, keys, scope.context)

    def source(self, scope: Scope, path: InstancePath) -> Instance:
        """The instance whose associations are asked for.

        What an incomplete path lacks is left to the provider: libvirt-cim's clients know its words.

        Raises:
            CIMError: INVALID_PARAMETER for a class that does not exist; NOT_FOUND; what the provider raises.
        """
        declaration = self.source_class(scope, path.class_name)
        keys = own_keys(declaration, path.keys)
        return _provider(scope, declaration).source(declaration.name, keys, scope.context)

    def everything(
        self,
        scope: Scope,
        class_name: str,
        failed: Callable[[CIMError], object] | None = None,
        among: frozenset[str] | None = None,
    ) -> Iterator[tuple[str, list[Instance]]]:
        """The creation classes among a class and its descendants, each with its instances.

        A class whose provider fails is left out when others were asked for as well.

        Parameters:
            failed: is told the error of a class that is left out.
            among: the creation classes that are asked for; None for all.
        """
        served = scope.namespace.served(self.declaration(scope, class_name).name)
        if among is not None:
            served = tuple(each for each in served if each in among)
        for each in served:
            provider = scope.namespace.provider(each)
            assert provider is not None
            try:
                # A provider may be a generator: it is run to its end here, so that its errors are caught here.
                instances = list(provider.instances(each, scope.context))
            except Exception as exc:
                if len(served) == 1:
                    raise
                log.exception("The instances of %s are left out", each)
                if failed is not None:
                    failed(exc if isinstance(exc, CIMError) else CIMError(Status.FAILED, f"{each}: {exc}"))
                continue
            yield each, instances

    def filters(self, given: AssociationFilter, association_parameter: str = "AssocClass") -> Filters:
        """The filters of an association operation.

        Parameters:
            association_parameter: under which the client gave the class of the association: ResultClass, where
                associations themselves are wanted.

        Raises:
            CIMError: INVALID_PARAMETER for a class that does not exist.
        """
        associations = self._filter_class(association_parameter, given.association_class)
        if given.creation_classes is not None:
            associations = given.creation_classes if associations is None else associations & given.creation_classes
        return Filters(
            associations,
            self._filter_class("ResultClass", given.result_class),
            _role(given.role),
            _role(given.result_role),
        )

    def _filter_class(self, parameter: str, class_name: str | None) -> frozenset[str] | None:
        if not class_name:
            return None
        if class_name not in self._classes:
            raise CIMError(Status.INVALID_PARAMETER, f"{parameter} {class_name} does not exist")
        return self._classes.concrete(class_name)

    def associated(self, scope: Scope, path: InstancePath, given: AssociationFilter) -> Iterator[Instance]:
        """The instances at the other end of the associations of an instance, each once."""
        seen = set()
        for _, _, other in self._found(scope, path, self.filters(given)):
            key = key_of(other)
            if key not in seen:
                seen.add(key)
                if self._is_declared(other):
                    yield other

    def referring(self, scope: Scope, path: InstancePath, given: AssociationFilter) -> Iterator[Instance]:
        """The associations of an instance, each once."""
        seen = set()
        for direction, source, other in self._found(scope, path, self.filters(given, "ResultClass")):
            link = direction.link(source, other, scope.context.namespace)
            key = key_of(link)
            if key not in seen:
                seen.add(key)
                if self._is_declared(link):
                    yield link

    def _found(
        self, scope: Scope, path: InstancePath, filters: Filters
    ) -> Iterator[tuple[Direction, Instance, Instance]]:
        """The ways that lead on from an instance, each with that instance and one that is found, as far as who asks
        may read where that lives.  The same one may be found on several ways."""
        source = self.source(scope, path)
        readable = {scope.namespace.name: True}
        for direction in scope.namespace.directions(source.class_name):
            if direction.may_pass(filters):
                for other in direction.follow(source, filters, scope.context):
                    if other.namespace not in readable:
                        readable[other.namespace] = scope.may_read(other.namespace)
                    if readable[other.namespace]:
                        yield direction, source, other

    def _is_declared(self, instance: Instance) -> bool:
        if instance.class_name in self._classes:
            return True
        log.error("Class %s is not declared; an instance is left out", instance.class_name)
        return False


def _provider(scope: Scope, declaration: ClassDeclaration) -> InstanceProvider:
    """The provider of a class.  Raises CIMError NOT_FOUND."""
    provider = scope.namespace.provider(declaration.name)
    if provider is None:
        raise scope.namespace.not_served(declaration.name)
    return provider


def _role(given: str | None) -> str | None:
    return (given or "").strip().lower() or None
