"""The IP addresses that guests have: <prefix>_IPProtocolEndpoint (CIM_IPProtocolEndpoint; DSP1036).

The agent of a guest tells them, so there are none of a guest without one, and there may be some that no network port of
the guest has, such as that of `lo`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterable, Iterator
from typing import Self

from virtcim.libhelper.agent import AgentAddress, AgentInterface
from virtcim.providers.agents import AGENTS, TOLD, ask_agent
from virtcim.providers.base import Element, ElementProvider, MainKey, class_of
from virtcim.providers.guest import Guest
from virtcim.providers.interface import Status
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.states import EnabledState, RequestedState

__all__ = ["IPProtocolEndpoint", "IPProtocolEndpointProvider", "endpoints_of"]

_IPV4, _IPV6 = 4096, 4097


class IPProtocolEndpoint(Element):
    """An IP address of a guest (Virt_IPProtocolEndpoint).

    Attributes:
        guest: whose.
        interface: that has it, as the guest sees it.
        address: as the agent told it.
        name: the key: guest, interface and address.
    """

    __slots__ = ("address", "guest", "interface", "name")

    base = "IPProtocolEndpoint"
    key_names = ("SystemCreationClassName", "SystemName", "CreationClassName", "Name")
    main_key = MainKey("Name", "No such instance (Name)", Status.NOT_FOUND)
    source = AGENTS

    def __init__(self, guest: Guest, interface: AgentInterface, address: AgentAddress) -> None:
        self.guest = guest
        self.interface = interface
        self.address = address
        self.name = f"{guest.name}/{interface.name}/{address.address}"
        super().__init__(guest.site, guest.platform, self.name)

    @classmethod
    def made_from(cls, owner: Guest) -> Iterator[Self]:
        facts = owner.hypervisor.agents.facts(owner.domain)
        for interface in facts.interfaces if facts is not None else ():
            # An agent may tell an address twice; it is one all the same.
            for address in dict.fromkeys(interface.addresses):
                yield cls(owner, interface, address)

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.interface, self.address


def endpoints_of(guest: Guest) -> Iterable[IPProtocolEndpoint]:
    """The addresses of a guest, as its agent tells them."""
    ask_agent(guest)
    return IPProtocolEndpoint.made_from(guest)


def _mask(endpoint: IPProtocolEndpoint) -> str | None:
    """The mask of the network, of an address of IPv4 whose prefix is known."""
    address = endpoint.address
    if address.is_ipv6 or address.prefix is None or address.prefix not in range(33):
        return None
    return str(ipaddress.IPv4Network((0, address.prefix)).netmask)


def _prefix(endpoint: IPProtocolEndpoint, is_ipv6: bool) -> int | None:
    prefix = endpoint.address.prefix
    most = 128 if is_ipv6 else 32
    return prefix if endpoint.address.is_ipv6 is is_ipv6 and prefix is not None and 0 <= prefix <= most else None


IPProtocolEndpoint.table = PropertyTable(
    Property(
        "SystemCreationClassName",
        lambda endpoint: class_of(endpoint.platform.prefix, "ComputerSystem"),
        "class name of the guest",
    ),
    attribute("SystemName", lambda endpoint: endpoint.guest.name, source="domain XML name"),
    attribute("CreationClassName", lambda endpoint: endpoint.class_name, source="class name"),
    attribute("Name", lambda endpoint: endpoint.name, source="domain XML name, interface and address"),
    Property("NameFormat", lambda _: "guest/interface/address", "a fixed text"),
    Property(
        "ElementName", lambda endpoint: f"{endpoint.interface.name} {endpoint.address.address}", "interface and address"
    ),
    constant("Caption", "IP address of a virtual system", "a fixed text"),
    Property("Description", lambda endpoint: endpoint.interface.mac_address or None, f"the MAC address: {TOLD}"),
    Property("ProtocolIFType", lambda endpoint: _IPV6 if endpoint.address.is_ipv6 else _IPV4, TOLD),
    Property("IPv4Address", lambda endpoint: None if endpoint.address.is_ipv6 else endpoint.address.address, TOLD),
    Property("IPv6Address", lambda endpoint: endpoint.address.address if endpoint.address.is_ipv6 else None, TOLD),
    Property("SubnetMask", _mask, TOLD),
    Property("PrefixLength", lambda endpoint: _prefix(endpoint, is_ipv6=False), TOLD),
    Property("IPv6SubnetPrefixLength", lambda endpoint: _prefix(endpoint, is_ipv6=True), TOLD),
    constant("AddressOrigin", 0, "always Unknown: agents do not tell it"),
    constant("EnabledState", int(EnabledState.ENABLED), "always Enabled: the guest has it"),
    constant("RequestedState", int(RequestedState.NOT_APPLICABLE), "always Not Applicable: it is the guest's"),
)


class IPProtocolEndpointProvider(ElementProvider):
    """Serves <prefix>_IPProtocolEndpoint."""

    name = "Virt_IPProtocolEndpoint"
    types = (IPProtocolEndpoint,)
