"""The operations (DSP0200 1.4, sections 5.3 and 5.4): from a request to its result.

Each is one method, named as the standard names it, in lower case with underscores.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

from virtcim.cimom.associations import ClassLevel
from virtcim.cimom.keys import own_keys, require_keys
from virtcim.cimom.reading import Reader, Scope
from virtcim.cimom.requests import (
    ALL,
    AssociationFilter,
    AssociatorClasses,
    AssociatorClassPaths,
    AssociatorNames,
    Associators,
    CreateInstance,
    DeleteInstance,
    EnumerateClasses,
    EnumerateClassNames,
    EnumerateInstanceNames,
    EnumerateInstances,
    EnumerateQualifiers,
    ExecQuery,
    GetClass,
    GetInstance,
    GetProperty,
    GetQualifier,
    InvokeMethod,
    ModifyInstance,
    Projection,
    ReferenceClasses,
    ReferenceClassPaths,
    ReferenceNames,
    References,
    SetProperty,
)
from virtcim.cimom.results import (
    Classes,
    ClassNames,
    Extent,
    Extents,
    Instances,
    MethodOutcome,
    Nothing,
    OneInstance,
    Path,
    PropertyValue,
    Qualifiers,
)
from virtcim.cimom.selection import Selection, Selector
from virtcim.providers.interface import (
    CIMError,
    CIMValue,
    EmbeddedInstance,
    Instance,
    InstancePath,
    InstanceProvider,
    Parameters,
    Properties,
    Status,
)
from virtcim.schema.classes import ClassDeclaration, ClassStore, MethodDeclaration, PropertyDeclaration
from virtcim.schema.paths import same_path
from virtcim.schema.values import parse_datetime

__all__ = ["Operations"]

log = logging.getLogger(__name__)


class Operations:
    """Carries out all operations but those on enumerations.  Safe to use from several threads at once.

    Parameters:
        classes: the class store.
        reader: finds instances.
        selector: carries out queries.
        revision: gives the revision of everything that the lasting instances of a namespace are made from.
    """

    def __init__(
        self, classes: ClassStore, reader: Reader, selector: Selector, revision: Callable[[str], Hashable]
    ) -> None:
        self._classes = classes
        self._class_level = ClassLevel(classes)
        self._reader = reader
        self._selector = selector
        self._revision = revision

    def get_instance(self, request: GetInstance, scope: Scope) -> OneInstance:
        """GetInstance (5.3.2.2)."""
        instance = self._reader.instance(scope, request.path)
        return OneInstance(scope.namespace.name, instance, request.projection)

    def enumerate_instances(self, request: EnumerateInstances, scope: Scope) -> Extents:
        """EnumerateInstances (5.3.2.3)."""
        projection = request.projection
        if not request.deep:
            projection = replace(projection, limit_class=self._reader.declaration(scope, request.class_name).name)
        return self._extents(scope, request, projection)

    def enumerate_instance_names(self, request: EnumerateInstanceNames, scope: Scope) -> Extents:
        """EnumerateInstanceNames (5.3.2.4)."""
        return self._extents(scope, request, ALL)

    def _extents(
        self, scope: Scope, request: EnumerateInstances | EnumerateInstanceNames, projection: Projection
    ) -> Extents:
        namespace = scope.namespace
        revision = self._revision(namespace.name)
        errors: list[CIMError] = []
        found = list(self._reader.everything(scope, request.class_name, errors.append, request.creation_classes))
        lasting = not errors and all(_is_lasting(namespace.provider(name), name) for name, _ in found)
        extents = [Extent(name, instances) for name, instances in found]
        return Extents(namespace.name, extents, projection, revision, lasting)

    def create_instance(self, request: CreateInstance, scope: Scope) -> Path:
        """CreateInstance (5.3.2.6): properties that the request does not hold have the defaults of the class."""
        declaration = self._reader.declaration(scope, request.instance.class_name)
        provider = scope.namespace.provider(declaration.name)
        if provider is None:
            raise CIMError(Status.NOT_SUPPORTED, f"Instances of {declaration.name} cannot be created")
        given = _declared(request.instance, declaration, Status.INVALID_PARAMETER)
        defaults = {each.name: _default(each) for each in declaration.properties.values() if each.default is not None}
        path = provider.create_instance(declaration.name, {**defaults, **given}, scope.context)
        return Path(scope.namespace.name, path)

    def modify_instance(self, request: ModifyInstance, scope: Scope) -> Nothing:
        """ModifyInstance (5.3.2.8): only the properties that the request holds change, restricted by PropertyList.

        A property that PropertyList names and the instance does not hold is set to the default of the class.  Keys
        may be given, as they are.
        """
        provider, declaration, keys = self._reader.target(scope, request.path)
        if request.instance.class_name.lower() != declaration.name.lower():
            raise _invalid("The class of the instance is not that of its name")
        given = _declared(request.instance, declaration, Status.NO_SUCH_PROPERTY)
        for name in declaration.keys:
            if given.get(name) is not None and not _same_key(given[name], keys[name]):
                raise _invalid(f"{name} is a key of {declaration.name}: it cannot be changed")
        properties = {name: value for name, value in given.items() if name not in declaration.keys}
        wanted = request.properties
        if wanted is not None:
            for key in wanted:
                declared = _property(declaration, key)
                if not declared.is_key:
                    properties.setdefault(declared.name, _default(declared))
            properties = {name: value for name, value in properties.items() if name.lower() in wanted}
        provider.modify_instance(declaration.name, keys, properties, scope.context)
        return Nothing(scope.namespace.name)

    def delete_instance(self, request: DeleteInstance, scope: Scope) -> Nothing:
        """DeleteInstance (5.3.2.5)."""
        provider, declaration, keys = self._reader.target(scope, request.path)
        provider.delete_instance(declaration.name, keys, scope.context)
        return Nothing(scope.namespace.name)

    def get_property(self, request: GetProperty, scope: Scope) -> PropertyValue:
        """GetProperty (5.3.2.18, deprecated)."""
        instance = self._reader.instance(scope, request.path)
        declared = _property(self._classes[instance.class_name], request.property_name)
        return PropertyValue(scope.namespace.name, declared, instance.properties().get(declared.name))

    def set_property(self, request: SetProperty, scope: Scope) -> Nothing:
        """SetProperty (5.3.2.19, deprecated): ModifyInstance of one property."""
        provider, declaration, keys = self._reader.target(scope, request.path)
        declared = _property(declaration, request.property_name)
        if declared.is_key:
            raise _invalid(f"{declared.name} is a key of {declaration.name}: it cannot be changed")
        provider.modify_instance(declaration.name, keys, {declared.name: request.value}, scope.context)
        return Nothing(scope.namespace.name)

    def exec_query(self, request: ExecQuery, scope: Scope) -> Instances:
        """ExecQuery (5.3.2.13, deprecated)."""
        selection = self._selector.select(scope, request.language, request.query, among=request.creation_classes)
        return Instances(scope.namespace.name, list(_selected(selection)), selection.projection)

    def associators(self, request: Associators, scope: Scope) -> Instances:
        """Associators of an instance (5.3.2.14)."""
        found = self._reader.associated(scope, request.path, request.filter)
        return Instances(scope.namespace.name, list(found), request.projection)

    def associator_names(self, request: AssociatorNames, scope: Scope) -> Instances:
        """AssociatorNames of an instance (5.3.2.15)."""
        return Instances(scope.namespace.name, list(self._reader.associated(scope, request.path, request.filter)))

    def references(self, request: References, scope: Scope) -> Instances:
        """References of an instance (5.3.2.16)."""
        found = self._reader.referring(scope, request.path, request.filter)
        return Instances(scope.namespace.name, list(found), request.projection)

    def reference_names(self, request: ReferenceNames, scope: Scope) -> Instances:
        """ReferenceNames of an instance (5.3.2.17)."""
        return Instances(scope.namespace.name, list(self._reader.referring(scope, request.path, request.filter)))

    def associator_classes(self, request: AssociatorClasses, scope: Scope) -> Classes:
        """Associators of a class (5.3.2.14)."""
        names = self._associated_classes(scope, request.class_name, request.filter)
        return Classes(scope.namespace.name, [self._classes[name] for name in names], request.projection)

    def associator_class_paths(self, request: AssociatorClassPaths, scope: Scope) -> ClassNames:
        """AssociatorNames of a class (5.3.2.15)."""
        return ClassNames(scope.namespace.name, self._associated_classes(scope, request.class_name, request.filter))

    def reference_classes(self, request: ReferenceClasses, scope: Scope) -> Classes:
        """References of a class (5.3.2.16)."""
        names = self._referring_classes(scope, request.class_name, request.filter)
        return Classes(scope.namespace.name, [self._classes[name] for name in names], request.projection)

    def reference_class_paths(self, request: ReferenceClassPaths, scope: Scope) -> ClassNames:
        """ReferenceNames of a class (5.3.2.17)."""
        return ClassNames(scope.namespace.name, self._referring_classes(scope, request.class_name, request.filter))

    def _associated_classes(self, scope: Scope, class_name: str, given: AssociationFilter) -> list[str]:
        name, filters = self._reader.source_class(scope, class_name).name, self._reader.filters(given)
        return list(dict.fromkeys(far for _, far in self._class_level.links(scope.namespace.shown, name, filters)))

    def _referring_classes(self, scope: Scope, class_name: str, given: AssociationFilter) -> list[str]:
        name, filters = self._reader.source_class(scope, class_name).name, self._reader.filters(given, "ResultClass")
        return list(dict.fromkeys(near for near, _ in self._class_level.links(scope.namespace.shown, name, filters)))

    def get_class(self, request: GetClass, scope: Scope) -> Classes:
        """GetClass (5.3.2.1), which alone says NOT_FOUND of a class that does not exist."""
        declaration = self._reader.declaration(scope, request.class_name, Status.NOT_FOUND)
        return Classes(scope.namespace.name, [declaration], request.projection)

    def enumerate_classes(self, request: EnumerateClasses, scope: Scope) -> Classes:
        """EnumerateClasses (5.3.2.10)."""
        names = self._subclasses(scope, request.class_name, request.deep)
        return Classes(scope.namespace.name, [self._classes[name] for name in names], request.projection)

    def enumerate_class_names(self, request: EnumerateClassNames, scope: Scope) -> ClassNames:
        """EnumerateClassNames (5.3.2.11)."""
        return ClassNames(scope.namespace.name, self._subclasses(scope, request.class_name, request.deep))

    def _subclasses(self, scope: Scope, class_name: str | None, deep: bool) -> list[str]:
        name = self._reader.declaration(scope, class_name).name if class_name else None
        return list(filter(scope.namespace.shown.has, self._classes.subclasses(name, deep)))

    def enumerate_qualifiers(self, request: EnumerateQualifiers, scope: Scope) -> Qualifiers:
        """EnumerateQualifiers (5.3.2.22)."""
        return Qualifiers(scope.namespace.name, list(self._classes.qualifier_declarations.values()))

    def get_qualifier(self, request: GetQualifier, scope: Scope) -> Qualifiers:
        """GetQualifier (5.3.2.20)."""
        declared = self._classes.qualifier_declarations.get(request.qualifier_name.lower())
        if declared is None:
            raise CIMError(Status.NOT_FOUND, f"Qualifier {request.qualifier_name} does not exist")
        return Qualifiers(scope.namespace.name, [declared])

    def invoke_method(self, request: InvokeMethod, scope: Scope) -> MethodOutcome:
        """An extrinsic method (5.4).

        Scripts invoke methods of services on the class, as libvirt-cim let them, static or not: the provider decides
        whether it needs to know the instance.
        """
        path = None if isinstance(request.target, str) else request.target
        class_name = request.target if isinstance(request.target, str) else request.target.class_name
        declaration = self._reader.declaration(scope, class_name, Status.NOT_FOUND)
        method = declaration.methods.get(request.method.lower())
        if method is None:
            raise CIMError(Status.METHOD_NOT_FOUND, f"{declaration.name} has no method {request.method}")
        provider = scope.namespace.provider(declaration.name)
        if provider is None:
            if path is None:
                raise CIMError(Status.METHOD_NOT_AVAILABLE, f"{declaration.name}.{method.name} is not available")
            raise scope.namespace.not_served(declaration.name)
        keys = None if path is None else own_keys(declaration, path.keys)
        if keys is not None:
            require_keys(declaration, keys)
        check_arguments(method, request.arguments)
        context = replace(scope.context, as_job=request.as_job, patience=request.patience)
        result = provider.invoke_method(declaration.name, keys, method.name, request.arguments, context)
        out = _outputs(declaration, method, result.out)
        return MethodOutcome(scope.namespace.name, declaration.name, method, result.return_value, out)


def _is_lasting(provider: InstanceProvider | None, class_name: str) -> bool:
    return provider is not None and provider.is_lasting(class_name)


def _invalid(text: str) -> CIMError:
    return CIMError(Status.INVALID_PARAMETER, text)


def _property(declaration: ClassDeclaration, name: str) -> PropertyDeclaration:
    declared = declaration.properties.get(name.lower())
    if declared is None:
        raise CIMError(Status.NO_SUCH_PROPERTY, f"{declaration.name} has no property {name}")
    return declared


def _declared(instance: EmbeddedInstance, declaration: ClassDeclaration, unknown: Status) -> Properties:
    """The properties of an instance, all of which the class has to have; `unknown` is the error for others."""
    for name in instance.properties:
        if name.lower() not in declaration.properties:
            raise CIMError(unknown, f"{declaration.name} has no property {name}")
    return instance.properties


def check_arguments(method: MethodDeclaration, arguments: Parameters) -> None:
    """Refuse a method call with an unknown parameter, or without a required one.  Raises CIMError INVALID_PARAMETER."""
    for name in arguments:
        if name.lower() not in method.parameters:
            raise _invalid(f"Method {method.name} has no parameter {name}")
    for declared in method.parameters.values():
        required = declared.qualifiers.get("required")
        if declared.is_in and required is not None and required.value and declared.name not in arguments:
            raise _invalid(f"Parameter {declared.name} is required")


def _outputs(declaration: ClassDeclaration, method: MethodDeclaration, out: Parameters) -> Parameters:
    """The output parameters that are declared and not NULL, spelt as they are declared."""
    found = {}
    for name, value in out.items():
        declared = method.parameters.get(name.lower())
        if declared is None:
            log.error("%s.%s gives back an unknown parameter %s", declaration.name, method.name, name)
        elif value is not None:
            found[declared.name] = value
    return found


def _selected(selection: Selection) -> Iterable[Instance]:
    for instance in selection.instances:
        if isinstance(instance, CIMError):
            continue
        try:
            selected = selection.selects is None or selection.selects(instance)
        except Exception:
            log.exception("A %s is left out: %r", instance.class_name, instance.identity)
            continue
        if selected:
            yield instance


def _same_key(given: object, key: object) -> bool:
    """Whether a key in an instance is that of its path; a reference may have its namespace in one of them only."""
    if isinstance(given, InstancePath) and isinstance(key, InstancePath):
        return same_path(given, key)
    return bool(given == key)


def _default(declared: PropertyDeclaration) -> CIMValue:
    """The default of a property as a Python value; the class store has datetimes as strings."""
    default: CIMValue = declared.default
    if declared.type != "datetime" or default is None:
        return default
    return (
        [parse_datetime(each) for each in declared.default] if declared.is_array else parse_datetime(declared.default)
    )
