"""<prefix>_SAPAvailableForElement: an access point (AvailableSAP) and its guest (ManagedElement) (DSP1024, 1076)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_KVMRedirectionSAP import KVMRedirectionSAP, access_points_of
from virtcim.providers.Virt_TextRedirectionSAP import TextRedirectionSAP, text_points_of

__all__ = ["sap_available_for_element"]


def _system(point: KVMRedirectionSAP | TextRedirectionSAP) -> Iterable[ComputerSystem]:
    return (system_of(point.guest),)


def _points(system: ComputerSystem) -> Iterable[KVMRedirectionSAP | TextRedirectionSAP]:
    yield from access_points_of(system.guest)
    yield from text_points_of(system.guest)


def sap_available_for_element(site: Site) -> Relation:
    """The association."""
    return Relation(
        site,
        "SAPAvailableForElement",
        Role("AvailableSAP", (KVMRedirectionSAP, TextRedirectionSAP)),
        Role("ManagedElement", (ComputerSystem,)),
        to_right=_system,
        to_left=_points,
    )
