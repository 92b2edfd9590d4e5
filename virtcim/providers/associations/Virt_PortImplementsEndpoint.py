"""<prefix>_PortImplementsEndpoint: a network port (Antecedent) and the IP addresses on it (Dependent) (DSP1036)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.site import Site
from virtcim.providers.Virt_Device.Virt_NetworkPort import NetworkPort
from virtcim.providers.Virt_IPProtocolEndpoint import IPProtocolEndpoint, endpoints_of

__all__ = ["port_implements_endpoint"]


def port_implements_endpoint(site: Site) -> Relation:
    """The association.  A port and an interface of the guest are one where they have one MAC address."""

    def endpoints(port: NetworkPort) -> Iterable[IPProtocolEndpoint]:
        address = _mac_address(port)
        return (each for each in endpoints_of(port.guest) if address and each.interface.mac_address == address)

    def ports(endpoint: IPProtocolEndpoint) -> Iterable[NetworkPort]:
        address = endpoint.interface.mac_address
        return (each for each in NetworkPort.made_from(endpoint.guest) if address and _mac_address(each) == address)

    return Relation(
        site,
        "PortImplementsEndpoint",
        Role("Antecedent", (NetworkPort,)),
        Role("Dependent", (IPProtocolEndpoint,)),
        to_right=endpoints,
        to_left=ports,
    )


def _mac_address(port: NetworkPort) -> str:
    return (port.device.mac_address or "").lower()
