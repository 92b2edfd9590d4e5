"""Elements of our own in a domain's `<metadata>`.

Layer rule: imports libvirt, change, and the types of hypervisor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import libvirt

from virtcim.libhelper.domains.change import exclusive

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor

__all__ = ["set_metadata"]


def set_metadata(hypervisor: Hypervisor, uuid: str, element: str, key: str, namespace: str) -> None:
    """Put an element into the metadata of a domain: of the running one and of the definition, where it has them.

    Parameters:
        hypervisor: where the domain is.
        uuid: of the domain.
        element: the XML, without namespace; it replaces the element that the namespace had.
        key: the prefix that libvirt is to write.
        namespace: the URI.

    Raises:
        LibvirtError: libvirt refuses.
    """
    with exclusive(hypervisor, uuid), hypervisor.lifecycle.domain(uuid) as domain:
        flags = libvirt.VIR_DOMAIN_AFFECT_CURRENT
        if domain.isActive():
            flags = libvirt.VIR_DOMAIN_AFFECT_LIVE
            flags |= libvirt.VIR_DOMAIN_AFFECT_CONFIG if domain.isPersistent() else 0
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, element, key, namespace, flags)
