"""Which element of a node a parameter refers to, for services that have to do with all nodes."""

from __future__ import annotations

from collections.abc import Callable

from virtcim.providers.interface import CIMError, Instance, InstancePath, Parameters, RequestContext, Role, Status
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.references import element_at
from virtcim.providers.Virt_ComputerSystem import ComputerSystem

__all__ = ["May", "element_of_node", "system_of_node"]

May = Callable[[RequestContext, str, Role], bool]
"""Tells whether who asks has a role in a namespace."""


def element_of_node(
    nodes: NodeRegistry, may: May, parameters: Parameters, name: str, context: RequestContext
) -> Instance:
    """Find the element that a parameter refers to, on whichever node.

    Parameters:
        nodes: all nodes.
        may: tells who may do what in the namespaces of the nodes.
        parameters: those that were given.
        name: of the parameter.
        context: of the request.

    Raises:
        CIMError: INVALID_PARAMETER where it is missing, NOT_FOUND where there is no such node or element, ACCESS_DENIED
            where who asks may not administer that node.
    """
    path = parameters.get(name)
    if not isinstance(path, InstancePath):
        raise CIMError(Status.INVALID_PARAMETER, f"{name}: is missing; expected a reference")
    wanted = (path.namespace or nodes.local.namespace).strip("/").lower()
    site = next((each for each in nodes.sites() if each.namespace.lower() == wanted), None)
    if site is None:
        raise CIMError(Status.NOT_FOUND, f"{name}: lives in {wanted[:160]!r}; expected the namespace of a node")
    if not may(context, site.namespace, Role.ADMINISTER):
        raise CIMError(Status.ACCESS_DENIED, f"{name}: needs the role administer in {site.namespace}")
    return element_at(site, path)


def system_of_node(
    nodes: NodeRegistry, may: May, parameters: Parameters, name: str, context: RequestContext
) -> ComputerSystem:
    """Find the virtual system that a parameter refers to, on whichever node, as it is now; as `element_of_node`.

    What is to be made of a guest depends on whether it runs, and libvirt may not have told yet that it was started.

    Raises:
        CIMError: as there; INVALID_PARAMETER where it refers to something else.
    """
    system = element_of_node(nodes, may, parameters, name, context)
    if not isinstance(system, ComputerSystem):
        text = f"{name}: is not a virtual system; expected a reference to a ComputerSystem"
        raise CIMError(Status.INVALID_PARAMETER, text)
    system.guest.hypervisor.inventory.refresh(system.guest.domain.uuid)
    now = element_of_node(nodes, may, parameters, name, context)
    assert isinstance(now, ComputerSystem)
    return now
