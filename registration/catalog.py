"""What is served where: one table, made of the providers themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from providers.interface import Association, Catalog, InstanceProvider
from providers.site import Site
from providers.Virt_ComputerSystem import ComputerSystemProvider
from providers.Virt_HostSystem import HostSystemProvider

__all__ = ["CIMV2", "INTEROP", "build_catalog", "providers_of"]

INTEROP = "root/interop"
CIMV2 = "root/cimv2"

_PROVIDERS: Sequence[Callable[[Site], InstanceProvider]] = (
    ComputerSystemProvider,
    HostSystemProvider,
)
_ASSOCIATIONS: Sequence[Callable[[Site], Association]] = ()


def providers_of(site: Site) -> list[InstanceProvider]:
    """All providers of the main namespace."""
    return [make(site) for make in _PROVIDERS]


def build_catalog(site: Site) -> Catalog:
    """The catalog of a site: the instances live in the main namespace, `root/virt` unless set otherwise.

    `root/interop` and `root/cimv2` exist, as libvirt-cim's clients expect.
    """
    main = site.settings.namespace
    providers = providers_of(site)
    associations = [make(site) for make in _ASSOCIATIONS]
    return Catalog(
        namespaces={main: providers, INTEROP: (), CIMV2: ()},
        associations={main: associations, INTEROP: (), CIMV2: ()},
        namespace_of={class_name: main for provider in providers for class_name in provider.class_names},
    )
