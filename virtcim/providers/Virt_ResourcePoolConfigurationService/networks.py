"""From settings to a new network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TypeVar

from virtcim.libhelper.documents.network import DhcpRange, NetworkConfig, NetworkIp
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.providers.subnets import free_subnet
from virtcim.providers.Virt_ResourcePoolConfigurationService.settings import (
    NO_POOL_TYPE,
    GivenProperties,
    SettingsError,
)

__all__ = ["new_network"]

_NAT = "nat"
_BRIDGE = "bridge"
_MODES: Mapping[int, str | None] = {0: None, 1: _NAT, 2: "route", 3: "open", 4: _BRIDGE}
"""ForwardMode to libvirt's word."""
_IPV6_PREFIX = 64

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = TypeVar("Address", ipaddress.IPv4Address, ipaddress.IPv6Address)


def new_network(given: GivenProperties, name: str, hypervisor: Hypervisor) -> NetworkConfig:
    """The network that settings ask for.

    A network without an address gets one that no other network of the host has, the usual 192.168.122.1 where it is
    free; the addresses that are given out are those of its subnet unless the client names others.

    Raises:
        SettingsError: a property is not possible, or contradicts another one.
    """
    mode = given.choice("ForwardMode", _MODES, NO_POOL_TYPE) if given.has("ForwardMode") else _NAT
    if mode == _BRIDGE:
        return _bridge(given, name)
    addresses = (_ipv4(given, hypervisor), *_ipv6(given))
    device = given.text("ForwardDevice")
    if device is not None and mode is None:
        raise SettingsError("`ForwardDevice' property contradicts `ForwardMode': nothing leaves the network")
    return NetworkConfig(
        name=name,
        forward_mode=mode,
        forward_dev=device,
        bridge_name=given.text("BridgeName"),
        domain_name=given.text("DomainName"),
        ips=addresses,
    )


def _bridge(given: GivenProperties, name: str) -> NetworkConfig:
    """A bridge that the host has already: its addresses are not libvirt's business."""
    for other in ("Address", "Netmask", "IPRangeStart", "IPRangeEnd", "IPv6Address", "ForwardDevice", "DomainName"):
        if given.text(other) is not None:
            raise SettingsError(f"`{other}' property contradicts `ForwardMode': the network is a bridge of the host")
    return NetworkConfig(name=name, forward_mode=_BRIDGE, bridge_name=given.needed("BridgeName"))


def _ipv4(given: GivenProperties, hypervisor: Hypervisor) -> NetworkIp:
    text = given.text("Address")
    if text is None:
        if given.text("Netmask") is not None:
            raise SettingsError("`Netmask' property needs `Address'")
        free = free_subnet(hypervisor)
        if free is None:
            raise SettingsError("Missing `Address' property: no private network is free")
        subnet: ipaddress.IPv4Network = free
        address = next(subnet.hosts())
    else:
        address = _read("Address", text, ipaddress.IPv4Address)
        netmask = given.text("Netmask") or "255.255.255.0"
        try:
            subnet = ipaddress.IPv4Network(f"{address}/{netmask}", strict=False)
        except ValueError:
            raise SettingsError(f"`Netmask' property is not a netmask: {netmask}") from None
    if given.has("IPRangeStart") and given.text("IPRangeStart") is None:
        return NetworkIp(address=str(address), netmask=str(subnet.netmask))
    first, last = _range(given, "IPRangeStart", "IPRangeEnd", subnet, address)
    ranges = () if first is None else (DhcpRange(start=first, end=last),)
    return NetworkIp(address=str(address), netmask=str(subnet.netmask), dhcp_ranges=ranges)


def _range(
    given: GivenProperties, start: str, end: str, subnet: ipaddress.IPv4Network, own: ipaddress.IPv4Address
) -> tuple[str | None, str | None]:
    """The addresses that are given out; where the client does not say, all but that of the host."""
    first, last = given.text(start), given.text(end)
    if first is None and last is None:
        return _usual_range(subnet, own)
    if first is None or last is None:
        raise SettingsError(f"Missing `{start if first is None else end}' property")
    return _within(((start, first), (end, last)), subnet, ipaddress.IPv4Address)


def _usual_range(subnet: ipaddress.IPv4Network, own: ipaddress.IPv4Address) -> tuple[str | None, str | None]:
    lowest, highest = subnet.network_address + 1, subnet.broadcast_address - 1
    below, above = (lowest, own - 1), (own + 1, highest)
    larger = max(below, above, key=lambda ends: int(ends[1]) - int(ends[0]))
    return (str(larger[0]), str(larger[1])) if larger[0] <= larger[1] else (None, None)


def _ipv6(given: GivenProperties) -> Iterable[NetworkIp]:
    text = given.text("IPv6Address")
    first, last = given.text("IPv6RangeStart"), given.text("IPv6RangeEnd")
    if text is None:
        for name in ("IPv6PrefixLength", "IPv6RangeStart", "IPv6RangeEnd"):
            if given.has(name):
                raise SettingsError(f"`{name}' property needs `IPv6Address'")
        return
    address = _read("IPv6Address", text, ipaddress.IPv6Address)
    prefix = given.number("IPv6PrefixLength")
    try:
        subnet = ipaddress.IPv6Network(f"{address}/{_IPV6_PREFIX if prefix is None else prefix}", strict=False)
    except ValueError:
        raise SettingsError(f"`IPv6PrefixLength' property is not the length of a prefix: {prefix}") from None
    if first is None and last is None:
        yield NetworkIp(family="ipv6", address=str(address), prefix=subnet.prefixlen)
        return
    if first is None or last is None:
        raise SettingsError(f"Missing `{'IPv6RangeStart' if first is None else 'IPv6RangeEnd'}' property")
    first, last = _within((("IPv6RangeStart", first), ("IPv6RangeEnd", last)), subnet, ipaddress.IPv6Address)
    ranges = (DhcpRange(start=first, end=last),)
    yield NetworkIp(family="ipv6", address=str(address), prefix=subnet.prefixlen, dhcp_ranges=ranges)


def _within(
    ends: tuple[tuple[str, str], tuple[str, str]], subnet: Subnet, kind: type[Address]
) -> tuple[str | None, str | None]:
    """The ends of a range, checked."""
    read: list[Address] = []
    for name, text in ends:
        address = _read(name, text, kind)
        if address not in subnet:
            raise SettingsError(f"`{name}' property is not an address of the network {subnet}: {text}")
        read.append(address)
    if int(read[0]) > int(read[1]):
        raise SettingsError(f"`{ends[1][0]}' property comes before `{ends[0][0]}'")
    return str(read[0]), str(read[1])


def _read(name: str, text: str, kind: type[Address]) -> Address:
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"`{name}' property is not an address: {text}") from None
