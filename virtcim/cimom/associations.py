"""Association traversal (DSP0200 1.4, sections 5.3.2.22 to 5.3.2.25 and their class-level forms).

Associations are declared (`providers.interface.Association`); here is the one engine that traverses all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Protocol

from virtcim.immutable import immutable
from virtcim.providers.interface import (
    Association,
    CIMError,
    CIMValue,
    Instance,
    InstancePath,
    InstanceProvider,
    Keys,
    Properties,
    RequestContext,
    Status,
)
from virtcim.schema.classes import ClassDeclaration, ClassStore

__all__ = ["AssociationProvider", "ClassLevel", "Direction", "Filters", "Link", "directions", "key_of"]

Resolve = Callable[[InstancePath, RequestContext], Instance]


def key_of(instance: Instance) -> tuple[str, str, Hashable]:
    """Give what tells an instance from all others of the server: handles on one instance have equal ones."""
    return instance.namespace, instance.class_name, instance.identity


class Link(Instance):
    """An instance of an association: the pair that it connects.

    It lives where it is followed from: an association whose ends live in two namespaces can be in both.
    """

    __slots__ = ("association", "class_name", "left", "namespace", "right")

    def __init__(
        self, namespace: str, class_name: str, association: Association, left: Instance, right: Instance
    ) -> None:
        self.namespace = namespace
        self.class_name = class_name
        self.association = association
        self.left = left
        self.right = right

    @property
    def identity(self) -> tuple[Hashable, ...]:  # type: ignore[override]
        return (*key_of(self.left), *key_of(self.right))

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        extra = ((name, tuple(value) if isinstance(value, list) else value) for name, value in self.extra().items())
        return self.left.revision, self.right.revision, tuple(sorted(extra))

    def ends(self) -> tuple[tuple[str, Instance], tuple[str, Instance]]:
        """The two roles and what stands there, in the order of the keys."""
        return (self.association.left.role, self.left), (self.association.right.role, self.right)

    def keys(self) -> dict[str, CIMValue]:
        return {role: end.path() for role, end in self.ends()}

    def properties(self) -> Properties:
        return {**self.extra(), **self.keys()}

    def extra(self) -> Properties:
        """The properties beside the two references."""
        return self.association.properties(self.left, self.right)


class AssociationProvider(InstanceProvider):
    """Serves the instances of one association class, from the associations that declare it.

    Parameters:
        class_name: the creation class.
        associations: those that name it.
        resolve: finds the instance that a path names.
    """

    def __init__(self, class_name: str, associations: Sequence[Association], resolve: Resolve) -> None:
        self.class_names = (class_name,)
        self._associations = associations
        self._resolve = resolve

    def instances(self, class_name: str, context: RequestContext) -> Iterator[Instance]:
        seen = set()
        for association in self._associations:
            for left in association.sources(class_name, context):
                for right in association.to_right(left, context):
                    link = Link(context.namespace, association.class_name(left, right), association, left, right)
                    if link.class_name == class_name and link.identity not in seen:
                        seen.add(link.identity)
                        yield link

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        given = {name.lower(): value for name, value in keys.items()}
        roles = self._associations[0].left.role, self._associations[0].right.role
        left_role, right_role = (role.lower() for role in roles)
        if given.keys() != {left_role, right_role}:
            raise CIMError(Status.INVALID_PARAMETER, f"{class_name} has the keys {' and '.join(roles)}")
        left_path, right_path = given[left_role], given[right_role]
        if not isinstance(left_path, InstancePath) or not isinstance(right_path, InstancePath):
            raise CIMError(Status.INVALID_PARAMETER, f"The keys of {class_name} are references")
        try:
            left = self._resolve(left_path, context)
            right = self._resolve(right_path, context)
        except CIMError as exc:
            if exc.status not in {Status.NOT_FOUND, Status.INVALID_CLASS, Status.INVALID_NAMESPACE}:
                raise
            raise CIMError(Status.NOT_FOUND, f"No such instance of {class_name}: {exc.description}") from exc
        wanted = key_of(right)
        for association in self._associations:
            if left.class_name not in association.left.class_names:
                continue
            for each in association.to_right(left, context):
                if key_of(each) == wanted and association.class_name(left, each) == class_name:
                    return Link(context.namespace, class_name, association, left, each)
        raise CIMError(Status.NOT_FOUND, f"No {class_name} connects these two")

    def create_instance(self, class_name: str, properties: Properties, context: RequestContext) -> InstancePath:
        return self._associations[0].create(class_name, properties, context)

    def modify_instance(self, class_name: str, keys: Keys, properties: Properties, context: RequestContext) -> None:
        self._associations[0].modify(class_name, keys, properties, context)

    def delete_instance(self, class_name: str, keys: Keys, context: RequestContext) -> None:
        self._associations[0].delete(class_name, keys, context)


@immutable
class Filters:
    """The filters of an association operation; None where the client gave none.

    Attributes:
        association: AssocClass of Associators, ResultClass of References: names of the class and its descendants.
        result: ResultClass of Associators, likewise.
        role, result_role: in lower case.
    """

    association: frozenset[str] | None = None
    result: frozenset[str] | None = None
    role: str | None = None
    result_role: str | None = None

    def roles_match(self, role: str, result_role: str) -> bool:
        """Whether the source may play `role` and the result `result_role`."""
        return (self.role is None or self.role == role.lower()) and (
            self.result_role is None or self.result_role == result_role.lower()
        )


@immutable
class Direction:
    """A way along an association, from the instances at one end to those at the other.

    Attributes:
        association: that is followed.
        is_to_right: which of the two ways it is.
        role, result_role: of the instances at the near end, and of those at the far one.
        far: the classes at the far end.
    """

    association: Association
    is_to_right: bool
    role: str
    result_role: str
    far: frozenset[str]

    def may_pass(self, filters: Filters) -> bool:
        """Whether it can have results, as far as the classes and roles of the association tell."""
        return (
            (filters.association is None or not filters.association.isdisjoint(self.association.class_names))
            and (filters.result is None or not filters.result.isdisjoint(self.far))
            and filters.roles_match(self.role, self.result_role)
        )

    def follow(self, source: Instance, filters: Filters, context: RequestContext) -> Iterable[Instance]:
        """The instances at the far end that pass the filters."""
        follow = self.association.to_right if self.is_to_right else self.association.to_left
        found = follow(source, context)
        if filters.result is None and filters.association is None:
            return found
        return (each for each in found if self._passes(source, each, filters))

    def _passes(self, source: Instance, other: Instance, filters: Filters) -> bool:
        return (filters.result is None or other.class_name in filters.result) and (
            filters.association is None or self._class_name(source, other) in filters.association
        )

    def link(self, source: Instance, other: Instance, namespace: str) -> Link:
        """The association between an instance and one of those that are found."""
        left, right = (source, other) if self.is_to_right else (other, source)
        return Link(namespace, self._class_name(source, other), self.association, left, right)

    def _class_name(self, source: Instance, other: Instance) -> str:
        left, right = (source, other) if self.is_to_right else (other, source)
        return self.association.class_name(left, right)


def directions(associations: Iterable[Association], class_name: str) -> tuple[Direction, ...]:
    """The ways that lead on from the instances of a creation class: two where it stands at both ends."""
    found: list[Direction] = []
    for each in associations:
        left, right = each.left, each.right
        if class_name in left.class_names:
            found.append(Direction(each, True, left.role, right.role, right.class_names))
        if class_name in right.class_names:
            found.append(Direction(each, False, right.role, left.role, left.class_names))
    return tuple(found)


class AssociationClasses(Protocol):
    """The classes of a namespace, as far as associations go."""

    @property
    def associations(self) -> Sequence[ClassDeclaration]:
        """The declarations of all association classes."""


class ClassLevel:
    """The class-level association operations: what the schema itself allows.

    Parameters:
        classes: the class store.
    """

    def __init__(self, classes: ClassStore) -> None:
        self._classes = classes

    def links(self, shown: AssociationClasses, class_name: str, filters: Filters) -> Iterator[tuple[str, str]]:
        """The association classes that refer to a class or one of its superclasses, each with the class at another
        end.  Pairs do not come twice.

        Parameters:
            shown: the classes of the namespace.
        """
        own = {name.lower() for name in self._classes.ancestors(class_name)}
        seen = set()
        for association in shown.associations:
            if filters.association is not None and association.name not in filters.association:
                continue
            references = [
                (each.name, each.reference_class)
                for each in association.properties.values()
                if each.type == "reference" and each.reference_class
            ]
            for near_role, near in references:
                if near.lower() not in own:
                    continue
                for far_role, far in references:
                    if far_role == near_role or not filters.roles_match(near_role, far_role):
                        continue
                    if filters.result is not None and far not in filters.result:
                        continue
                    if (association.name, far) not in seen:
                        seen.add((association.name, far))
                        yield association.name, far
