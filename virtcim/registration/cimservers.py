"""What all CIM servers have in common for registration, and the plan of what is to be registered."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from virtcim.registration.mof import class_mof, closure, qualifier_mof
from virtcim.registration.record import Record
from virtcim.registration.table import Table
from virtcim.registration.tools import Tools
from virtcim.schema.classes import ClassStore
from virtcim.schema.names import prefix_of

__all__ = ["INTEROP_CLASSES", "CimServer", "Plan", "classes_sent", "digest"]

DMTF = "cim_"
"""Beginning of the lower-case names of classes that are the DMTF's, and may be the CIM server's already."""


INTEROP_CLASSES = (
    "CIM_ManagedElement",
    "CIM_RegisteredProfile",
    "CIM_RegisteredSubProfile",
    "CIM_Dependency",
    "CIM_ElementConformsToProfile",
    "CIM_ReferencedProfile",
    "CIM_SubProfileRequiresProfile",
)
"""The classes that libvirt-cim's installation puts into the interop namespace, beside the qualifier types: clients ask
for them by name, whether something is served there or not."""


def classes_sent(table: Table, schema: ClassStore, namespace: str) -> list[str]:
    """List the classes of instances that clients send to methods of a namespace, and of which none are served.

    OpenPegasus takes no values of an instance whose class it does not have.

    Parameters:
        table: what is served.
        schema: the declarations.
    """
    served = table.classes(namespace)
    prefixes = {prefix_of(name) for name in served} - {"CIM"}
    embedded = {
        parameter.embedded_class
        for name in served
        for method in schema[name].methods.values()
        for parameter in method.parameters.values()
        if parameter.is_in and parameter.embedded_class is not None
    }
    below = {name for each in embedded for name in schema.subclasses(each, deep=True)}
    return sorted({name for name in below if prefix_of(name) in prefixes} - set(served))


def digest(text: str) -> str:
    """A text's fingerprint."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """What is to be registered.

    Attributes:
        table: classes, namespaces, providers.
        schema: their declarations.
        version: of this project.
        further: by namespace, classes that are to be there although nothing is served for them.
    """

    table: Table
    schema: ClassStore
    version: str
    further: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def classes(self, namespace: str) -> list[str]:
        """The classes that a namespace is to have, without those that they need."""
        return list(dict.fromkeys([*self.further.get(namespace, ()), *self.table.classes(namespace)]))

    def own_classes(self, namespace: str) -> list[str]:
        """Our own classes that a namespace needs, in an order that compilers take."""
        needed = closure(self.schema, self.classes(namespace))
        return [name for name in needed if not name.lower().startswith(DMTF)]

    def missing_classes(self, namespace: str, known: Collection[str]) -> list[str]:
        """The classes that a namespace needs beside those with the lower-case names `known`."""
        return closure(self.schema, self.classes(namespace), known)

    def mof(self, class_names: Sequence[str], *, fill: bool = False) -> str:
        """The MOF of classes.

        Parameters:
            fill: as of `class_mof`.
        """
        return "".join(class_mof(self.schema, name, fill=fill) for name in class_names)

    def qualifiers(self) -> str:
        """The MOF of all qualifier types."""
        return "".join(qualifier_mof(each) for each in self.schema.qualifier_declarations.values())


class CimServer(ABC):
    """One kind of CIM server.

    Attributes:
        name: as `--cimom` takes it.
    """

    name: str

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    @abstractmethod
    def installed(self) -> bool:
        """Whether its tools are on PATH."""

    @abstractmethod
    def running(self) -> bool:
        """Whether it runs."""

    @abstractmethod
    def register(self, plan: Plan, record: Record) -> None:
        """Register, noting each step in `record`, which tells what earlier registrations did.

        Raises:
            RegistrationError: it cannot be done; what was done stands in `record`.
        """

    @abstractmethod
    def unregister(self, record: Record) -> None:
        """Undo what stands in `record`, and take it from there.  Raises RegistrationError."""

    @abstractmethod
    def registered(self) -> bool:
        """Whether the CIM server itself knows of the registration."""
