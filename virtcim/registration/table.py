"""Which provider serves which class in which namespace: the one table that all registrations are written from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from virtcim.immutable import immutable
from virtcim.providers.base import ElementProvider
from virtcim.providers.interface import Catalog, InstanceProvider
from virtcim.schema.classes import ClassStore
from virtcim.schema.names import prefix_of

__all__ = ["INDICATIONS", "LIBRARY", "Entry", "Table", "make_table", "server_entries"]

LIBRARY = "virtcim"
"""The library that serves all of them: `libvirtcim.so`, without what CIM servers put around it."""

ASSOCIATIONS = "Virt_Association"
"""The provider of all associations."""

INDICATIONS = "Virt_Indication"
"""The provider of all indications."""

INSTANCE, ASSOCIATION, INDICATION, METHOD = "instance", "association", "indication", "method"


@immutable
class Entry:
    """One class in one namespace.

    `types` is a choice of `instance`, `association`, `indication` and `method`.
    """

    class_name: str
    namespace: str
    provider: str
    types: tuple[str, ...]


OF_THE_SERVER = {
    "Virt_NodeGroup": (INSTANCE,),
    "Virt_AggregatedManagementService": (INSTANCE, METHOD),
    "Virt_ImageStore": (INSTANCE, METHOD),
    "Virt_TemplateGroup": (INSTANCE,),
    "Virt_Template": (INSTANCE,),
    "Virt_ApplianceCatalog": (INSTANCE, METHOD),
    "Virt_Appliance": (INSTANCE,),
}
"""What belongs to all nodes together, and lives in the interop namespace: groups, images, templates, appliances."""


def server_entries(interop: str, nodes: Iterable[str] = ()) -> list[Entry]:
    """Give the entries of what belongs to all nodes together.

    Parameters:
        interop: the interop namespace.
        nodes: the namespaces of the nodes, from which membership leads there.
    """
    return [
        *(Entry(class_name, interop, class_name, types) for class_name, types in OF_THE_SERVER.items()),
        *(Entry("CIM_MemberOfCollection", each, ASSOCIATIONS, (INSTANCE, ASSOCIATION)) for each in (interop, *nodes)),
    ]


class Table:
    """The entries, in the order of the catalog.

    Parameters:
        entries: no class twice in a namespace.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._providers = {entry.class_name.lower(): entry.provider for entry in self.entries}

    @property
    def namespaces(self) -> list[str]:
        """The namespaces in which classes are served."""
        return list(dict.fromkeys(entry.namespace for entry in self.entries))

    def classes(self, namespace: str) -> list[str]:
        """The classes that are served in a namespace."""
        return [entry.class_name for entry in self.entries if entry.namespace == namespace]

    def provider_of(self, class_name: str) -> str:
        """The name under which a class's provider is registered; "" for a class that is not served."""
        return self._providers.get(class_name.lower(), "")


def make_table(
    catalog: Catalog,
    schema: ClassStore,
    indications: Mapping[str, Iterable[str]] | None = None,
    further: Iterable[Entry] = (),
) -> Table:
    """The table of what a catalog shows now.

    Parameters:
        schema: tells which classes are associations and which have methods.
        indications: namespace to the indication classes that are raised there.
        further: entries of what is served beside the catalog.

    Providers are named as libvirt-cim named them, as they declare (`Virt_Device`).  All associations have one provider:
    SFCB asks each provider once, so that one question answers Associators, and what two associations lead to comes
    once.  So have all indications: a filter on a class above several is activated once, and each change comes once.
    """
    entries: dict[tuple[str, str], Entry] = {}

    def shows(namespace: str, class_name: str) -> bool:
        return class_name in schema and prefix_of(class_name).lower() not in catalog.hidden(namespace)

    def add(class_name: str, namespace: str, provider: str, *types: str) -> None:
        entries.setdefault((namespace, class_name.lower()), Entry(class_name, namespace, provider, types))

    for namespace, providers in catalog.namespaces.items():
        for provider in providers:
            for class_name in filter(partial(shows, namespace), provider.class_names):
                types = (INSTANCE, METHOD) if schema[class_name].methods else (INSTANCE,)
                add(class_name, namespace, _name_of(provider, class_name), *types)
    for namespace, associations in catalog.associations.items():
        for association in associations:
            for class_name in filter(partial(shows, namespace), association.class_names):
                add(class_name, namespace, ASSOCIATIONS, INSTANCE, ASSOCIATION)
    for namespace, class_names in (indications or {}).items():
        for class_name in filter(partial(shows, namespace), class_names):
            add(class_name, namespace, INDICATIONS, INDICATION)
    for entry in further:
        add(entry.class_name, entry.namespace, entry.provider, *entry.types)
    return Table(entries.values())


def _name_of(provider: InstanceProvider, class_name: str) -> str:
    """The name that a provider declares; for one that declares none, that of its class."""
    return provider.name if isinstance(provider, ElementProvider) else _by_class(class_name)


def _by_class(class_name: str) -> str:
    return f"Virt_{class_name.partition('_')[2]}"
