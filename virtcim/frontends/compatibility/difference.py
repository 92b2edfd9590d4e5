"""What a difference from libvirt-cim consists of, and how a catalog is shown with differences undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import TypeVar

from virtcim.cimom.requests import InvokeMethod
from virtcim.immutable import immutable
from virtcim.providers.interface import (
    Association,
    Catalog,
    CIMError,
    CIMValue,
    End,
    Instance,
    InstancePath,
    InstanceProvider,
    Keys,
    MethodResult,
    Parameters,
    Properties,
    RequestContext,
    Status,
)
from virtcim.schema.names import base_of, prefix_of

__all__ = ["Difference", "ShownAssociation", "View", "merged", "unwrapped", "within"]

_MARK = "libvirt-cim"
_PATIENCE = 1.0
"""Seconds within which what was there at once is there, or never."""
_PAUSE = 0.02
"""Seconds between two looks at it."""

Key = TypeVar("Key")
Value = TypeVar("Value")


@immutable(kw_only=True)
class Difference:
    """A difference from libvirt-cim, as what undoes it.  Classes are named without their prefix.

    Attributes:
        section: of docs/compatibility.md, where it stands.
        values: for properties of a class, functions of prefix and true properties to the value that is shown.
        unknown: for a class, which of its instances are left out of lists and associations.
        roles: for an association class between instances of one class, which role the source has where the client names
            none: libvirt-cim followed it one way.
        dead_ends: for an association class that the client names, the CIM error where it leads from an instance to
            nothing; None from where libvirt-cim gave an empty list, too.
        pairs: for an association class, whether libvirt-cim associated instances of two classes (left, right).
        references: for an association class, what it shows beside its references: a function of the class at the left
            end and the true properties.
        associations: for an association class, what takes the place of an association that declares it.
        sent: for properties of a class, functions of the value that a client sends to what it means.
        uncounted: for properties of a class that a client sends, whether they do not count beside the others.
        ignored: for a class and a method (in lower case), the parameters that are taken and not looked at.
        left_out: for a class and a method (in lower case), the classes (with their prefix) whose instances are taken in
            arrays and not looked at.
        arguments: for a class and a method (in lower case), a function that gives the arguments as they are meant.
        awaited: for a class and a method (in lower case), what is there when the answer comes: tells of what the method
            gave back whether it is.
        superclasses: for a superclass (with its prefix), the classes whose instances clients also name by it.
        refusals: for a class and a method (in lower case), the CIM error for each return value in its place.
        successes: for a class and a method (in lower case), for each return value that is told as 0, of which requests.
        synchronous: the classes whose methods answer when all is done.
        jobs: for classes, the methods (in lower case) that always answer with a job, however short the work may be.
    """

    section: str
    values: Mapping[str, Mapping[str, Callable[[str, Properties], CIMValue]]] = field(default_factory=dict)
    unknown: Mapping[str, Callable[[View, Instance, RequestContext], bool]] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    dead_ends: Mapping[str, Callable[[InstancePath], CIMError | None]] = field(default_factory=dict)
    pairs: Mapping[str, Callable[[str, str], bool]] = field(default_factory=dict)
    references: Mapping[str, Callable[[str, Properties], Properties]] = field(default_factory=dict)
    associations: Mapping[str, Callable[[View, Association], Sequence[Association]]] = field(default_factory=dict)
    sent: Mapping[str, Mapping[str, Callable[[CIMValue], CIMValue]]] = field(default_factory=dict)
    uncounted: Mapping[str, Mapping[str, Callable[[Properties], bool]]] = field(default_factory=dict)
    ignored: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    left_out: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    arguments: Mapping[tuple[str, str], Callable[[View, Parameters, RequestContext], Parameters]] = field(
        default_factory=dict
    )
    awaited: Mapping[tuple[str, str], Callable[[View, MethodResult, RequestContext], bool]] = field(
        default_factory=dict
    )
    superclasses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    refusals: Mapping[tuple[str, str], Mapping[int, Callable[[InvokeMethod], CIMError]]] = field(default_factory=dict)
    successes: Mapping[tuple[str, str], Mapping[int, Callable[[InvokeMethod], bool]]] = field(default_factory=dict)
    synchronous: frozenset[str] = frozenset()
    jobs: frozenset[tuple[str, str]] = frozenset()


def merged(mappings: Iterable[Mapping[Key, Mapping[str, Value]]]) -> dict[Key, dict[str, Value]]:
    """Put mappings of mappings together."""
    found: dict[Key, dict[str, Value]] = {}
    for each in mappings:
        for key, values in each.items():
            found.setdefault(key, {}).update(values)
    return found


class Shown(Instance):
    """An instance with the values that libvirt-cim's clients expect.

    Attributes:
        raw: the true instance.
    """

    __slots__ = ("_values", "class_name", "identity", "namespace", "raw")

    def __init__(self, raw: Instance, values: Mapping[str, Callable[[str, Properties], CIMValue]]) -> None:
        self.raw = raw
        self.class_name = raw.class_name
        self.namespace = raw.namespace
        # Front ends keep what they have written by the identity: the true form must not be taken for this one.
        self.identity: Hashable = (_MARK, raw.identity)
        self._values = values

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.raw.revision

    def keys(self) -> dict[str, CIMValue]:
        return self.raw.keys()

    def properties(self) -> Properties:
        true = self.raw.properties()
        prefix = prefix_of(self.class_name)
        shown = {**true, **{name: value(prefix, true) for name, value in self._values.items()}}
        return {name: value for name, value in shown.items() if value is not None}


def unwrapped(instance: Instance) -> Instance:
    """Give the true instance: what providers and associations know."""
    return instance.raw if isinstance(instance, Shown) else instance


def within(context: RequestContext, instance: Instance) -> RequestContext:
    """Give the context of a request for what is asked where an instance lives."""
    return context if context.namespace == instance.namespace else replace(context, namespace=instance.namespace)


class View:
    """A catalog as it is shown with differences undone.

    Parameters:
        catalog: the true one.
        differences: what is undone.

    Attributes:
        catalog: what is shown.
    """

    def __init__(self, catalog: Catalog, differences: Sequence[Difference]) -> None:
        self._values = merged(each.values for each in differences)
        self._unknown: dict[str, list[Callable[[View, Instance, RequestContext], bool]]] = {}
        for difference in differences:
            for base, test in difference.unknown.items():
                self._unknown.setdefault(base, []).append(test)
        self._arguments = {method: meant for each in differences for method, meant in each.arguments.items()}
        self._awaited = {method: test for each in differences for method, test in each.awaited.items()}
        self._differences = differences
        self._true = catalog
        self._providers = {
            (namespace, name): provider
            for namespace, providers in catalog.namespaces.items()
            for provider in providers
            for name in provider.class_names
        }
        self.catalog = Catalog(
            {name: list(self._shown_providers(providers)) for name, providers in catalog.namespaces.items()},
            {name: list(self._associations(found)) for name, found in catalog.associations.items()},
            hidden=catalog.hidden,
        )

    def _shown_providers(self, providers: Sequence[InstanceProvider]) -> Iterator[InstanceProvider]:
        yield from (ShownProvider(self, each) for each in providers)
        names = [name for each in providers for name in each.class_names]
        for difference in self._differences:
            for superclass, bases in difference.superclasses.items():
                yield SuperclassProvider(self, superclass, [name for name in names if base_of(name) in bases])

    def _associations(self, associations: Iterable[Association]) -> Iterator[Association]:
        for each in associations:
            base = base_of(each.class_names[0]) if each.class_names else ""
            replaced = [one.associations[base] for one in self._differences if base in one.associations]
            if replaced:
                for replace in replaced:
                    yield from replace(self, each)
            else:
                yield self.association(each)

    def association(self, association: Association) -> ShownAssociation:
        """Show an association without what libvirt-cim did not have."""
        base = base_of(association.class_names[0]) if association.class_names else ""
        pairs = [each.pairs[base] for each in self._differences if base in each.pairs]
        references = [each.references[base] for each in self._differences if base in each.references]
        return ShownAssociation(self, association, pairs, references)

    def true_associations(self, base: str, context: RequestContext) -> Iterator[Association]:
        """Find the true associations in a namespace that declare a class, its name without the prefix."""
        associations = self._true.associations.get(context.namespace, ())
        return (each for each in associations if base in map(base_of, each.class_names))

    def true_instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        """Give the true instances of a class in a namespace; none of one that is not served there."""
        provider = self._providers.get((context.namespace, class_name))
        return () if provider is None else provider.instances(class_name, context)

    def find(self, class_name: str, keys: Keys, context: RequestContext) -> Instance | None:
        """Find the true instance with these keys in a namespace; None when there is none."""
        provider = self._providers.get((context.namespace, class_name))
        try:
            return None if provider is None else provider.get_instance(class_name, keys, context)
        except CIMError as error:
            if error.status is Status.NOT_FOUND:
                return None
            raise

    def meant(self, class_name: str, method: str, given: Parameters, context: RequestContext) -> Parameters:
        """Give the arguments of a method as they are meant."""
        change = self._arguments.get((base_of(class_name), method.lower()))
        return given if change is None else change(self, given, context)

    def wait(self, class_name: str, method: str, result: MethodResult, context: RequestContext) -> None:
        """Wait for what was there when a method answered."""
        is_there = self._awaited.get((base_of(class_name), method.lower()))
        deadline = time.monotonic() + _PATIENCE
        while is_there is not None and not is_there(self, result, context) and time.monotonic() < deadline:
            time.sleep(_PAUSE)

    def show(self, instance: Instance) -> Instance:
        """Show a true instance."""
        values = self._values.get(base_of(instance.class_name))
        return instance if values is None else Shown(instance, values)

    def show_known(self, instances: Iterable[Instance], context: RequestContext) -> Iterator[Instance]:
        """Show those of some true instances that libvirt-cim knew."""
        for each in instances:
            tests = self._unknown.get(base_of(each.class_name), ())
            if not any(test(self, each, within(context, each)) for test in tests):
                yield self.show(each)


class ShownProvider(InstanceProvider):
    """Shows the instances of a provider.

    Parameters:
        view: how they are shown.
        provider: the true one.
    """

    def __init__(self, view: View, provider: InstanceProvider) -> None:
        self.class_names = provider.class_names
        self._view = view
        self._provider = provider

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self._view.show_known(self._provider.instances(class_name, context), context)

    def is_lasting(self, class_name: str) -> bool:
        # Which of them are shown depends on who asks.
        return False

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return self._view.show(self._provider.get_instance(class_name, keys, context))

    def source(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        return self._view.show(self._provider.source(class_name, keys, context))

    def invoke_method(
        self, class_name: str, keys: Keys | None, method: str, parameters: Parameters, context: RequestContext
    ) -> MethodResult:
        meant = self._view.meant(class_name, method, parameters, context)
        result = self._provider.invoke_method(class_name, keys, method, meant, context)
        self._view.wait(class_name, method, result, context)
        return result

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        return self._provider.create_instance(class_name, properties, context)

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        self._provider.modify_instance(class_name, keys, properties, context)

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        self._provider.delete_instance(class_name, keys, context)


class SuperclassProvider(InstanceProvider):
    """Finds instances by the name of a superclass; they are listed as what they are, and not a second time.

    Parameters:
        view: how they are shown.
        superclass: its name.
        subclasses: the names of their own classes.
    """

    def __init__(self, view: View, superclass: str, subclasses: Sequence[str]) -> None:
        self.class_names = (superclass,) if subclasses else ()
        self._view = view
        self._subclasses = subclasses

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return ()

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        found = filter(None, (self._view.find(name, keys, context) for name in self._subclasses))
        for instance in found:
            return self._view.show(instance)
        raise CIMError(Status.NOT_FOUND, f"No such instance ({', '.join(map(str, keys.values()))})")


class ShownAssociation(Association):
    """Shows an association.

    Parameters:
        view: how what it leads to is shown.
        association: the true one.
        pairs: all tell whether it associated instances of two classes (left, right; without their prefix).
        references: what it shows beside its references, of the class at the left end and the true properties.
    """

    def __init__(
        self,
        view: View,
        association: Association,
        pairs: Sequence[Callable[[str, str], bool]] = (),
        references: Sequence[Callable[[str, Properties], Properties]] = (),
    ) -> None:
        self.class_names = association.class_names
        self.left: End = association.left
        self.right: End = association.right
        self.view = view
        self.true = association
        self._pairs = pairs
        self._references = references

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        found = self.true.to_right(unwrapped(left), context)
        return self.view.show_known((each for each in found if self._associates(left, each)), context)

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        found = self.true.to_left(unwrapped(right), context)
        return self.view.show_known((each for each in found if self._associates(each, right)), context)

    def _associates(self, left: Instance, right: Instance) -> bool:
        return all(test(base_of(left.class_name), base_of(right.class_name)) for test in self._pairs)

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self.view.show_known(self.true.sources(class_name, context), context)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.true.class_name(unwrapped(left), unwrapped(right))

    def properties(self, left: Instance, right: Instance) -> Properties:
        properties = self.true.properties(unwrapped(left), unwrapped(right))
        for change in self._references:
            properties = change(base_of(left.class_name), properties)
        return properties

    def create(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        return self.true.create(class_name, properties, context)

    def modify(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        self.true.modify(class_name, keys, properties, context)

    def delete(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        self.true.delete(class_name, keys, context)
