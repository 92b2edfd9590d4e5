"""Results as values: what an operation answers, for a front end to write.

Instances are handles (`providers.interface.Instance`): what they hold is asked for when they are written, and not at
all where a front end still has it written.  A broken one is left out by whoever writes it, with a log line.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import field

from virtcim.cimom.requests import ALL, ClassProjection, Projection
from virtcim.immutable import immutable
from virtcim.providers.interface import (
    CIMValue,
    Instance,
    InstancePath,
    Parameters,
)
from virtcim.schema.classes import ClassDeclaration, MethodDeclaration, PropertyDeclaration, QualifierDeclaration

__all__ = [
    "Batch",
    "ClassNames",
    "Classes",
    "Extent",
    "Extents",
    "Instances",
    "MethodOutcome",
    "Nothing",
    "OneInstance",
    "Path",
    "PropertyValue",
    "PullKind",
    "Qualifiers",
    "Result",
]


@immutable
class Result:
    """What an operation answers.

    Attributes:
        namespace: where it was carried out, spelt as the catalog has it.
    """

    namespace: str


@immutable
class Nothing(Result):
    """The operation succeeded, and has nothing to tell."""


@immutable
class OneInstance(Result):
    """One instance, of this namespace."""

    instance: Instance
    projection: Projection = ALL


@immutable
class Extent:
    """All instances of one creation class in a namespace."""

    class_name: str
    instances: Sequence[Instance]


@immutable
class Extents(Result):
    """All instances of classes.  `projection` is of no meaning where only their names are wanted.

    Attributes:
        revision: of everything that the lasting instances of the namespace are made from, from before these were
            gathered; None where it is not known.
        lasting: whether these are the instances, and as they are, for as long as that revision stays the same.
    """

    extents: Sequence[Extent]
    projection: Projection = ALL
    revision: Hashable = None
    lasting: bool = False

    @property
    def instances(self) -> Iterator[Instance]:
        """The instances of all classes, one after the other."""
        return (instance for extent in self.extents for instance in extent.instances)


@immutable
class Instances(Result):
    """Instances of any class, from any namespace.  `projection` as of `Extents`."""

    instances: Sequence[Instance]
    projection: Projection = ALL


class PullKind(enum.Enum):
    """What an enumeration yields: each has a pull operation of its own."""

    INSTANCES_WITH_PATH = enum.auto()
    INSTANCE_PATHS = enum.auto()
    INSTANCES = enum.auto()


@immutable
class Batch(Result):
    """What an opening or a pull takes from an enumeration.

    Attributes:
        context: for the next pull; None at the end of the sequence.
        result_class: of the query's results, where that was asked for, with the properties that are selected.
    """

    kind: PullKind
    instances: Sequence[Instance]
    context: str | None
    projection: Projection = ALL
    result_class: ClassDeclaration | None = None


@immutable
class Path(Result):
    """The path of an instance that was created."""

    path: InstancePath


@immutable
class PropertyValue(Result):
    """The value of one property."""

    declared: PropertyDeclaration
    value: CIMValue


@immutable
class Classes(Result):
    """Class declarations."""

    classes: Sequence[ClassDeclaration]
    projection: ClassProjection


@immutable
class ClassNames(Result):
    """Names of classes."""

    names: Sequence[str]


@immutable
class Qualifiers(Result):
    """Qualifier declarations."""

    declarations: Sequence[QualifierDeclaration]


@immutable
class MethodOutcome(Result):
    """What a method gave back.

    Attributes:
        class_name: whose method it is.
        method: its declaration.
        return_value: None for a method without one.
        out: the output parameters that are not NULL, spelt as the method declares them.
    """

    class_name: str
    method: MethodDeclaration
    return_value: CIMValue
    out: Parameters = field(default_factory=dict)
