"""What a network interface is to be attached to, and its MAC address, in the domain XML."""

from __future__ import annotations

import ipaddress
import re
import secrets
from typing import TYPE_CHECKING, Any

from virtcim.libhelper.documents.domain import DomainConfig, Interface
from virtcim.providers.drafts import Draft, ValueRefusedError, Writer
from virtcim.providers.units import rate_in
from virtcim.providers.Virt_RASD.network_peer import PEERS, user_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtcim.providers.drafts import DraftContext

__all__ = [
    "finish_interface",
    "rate",
    "write_addresses",
    "write_connection",
    "write_filter_parameters",
    "write_mac",
    "write_vlans",
]

_MODES = frozenset({"vepa", "bridge", "private", "passthrough"})
_MEANT_FOR = {
    "NetworkName": frozenset({"bridge", "network", "direct"}),
    "SourceDevice": frozenset({"direct", "user", "vhostuser"}),
    "NetworkMode": frozenset({"direct", "vhostuser"}),
    "HostResource": frozenset(PEERS),
}
_LOCATIONS = (
    "source_network",
    "source_portgroup",
    "source_portid",
    "source_bridge",
    "source_dev",
    "source_mode",
    "source_type",
    "source_path",
    "source_address",
    "source_host_address",
    "source_port",
    "source_local_address",
    "source_local_port",
)
_POOL_PREFIX = "NetworkPool/"
_ALL_NETWORKS = "0"
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
_NATIVE_RATE = 1000
"""Bytes per second in libvirt's unit of bandwidth."""
_TRIES = 64
_LAST_VLAN = 4095
_IPV4 = 4


def write_connection(draft: Draft, _value: object) -> None:
    """NetworkType, NetworkName, PoolID, SourceDevice, NetworkMode and HostResource together."""
    given = draft.given
    kind = str(given.get("NetworkType") or draft.base.type or "").lower()
    if kind == draft.base.type and kind not in _SOURCES:
        raise ValueRefusedError(f"What an interface of type {kind} is attached to cannot be changed here")
    if kind not in _SOURCES:
        raise ValueRefusedError("Invalid Network Type specified" if kind else "No Network Type specified")
    for name, types in _MEANT_FOR.items():
        if given.get(name) and kind not in types:
            raise ValueRefusedError(f"{name} means nothing to an interface of type {kind}", contradiction=True)
    if given.get("PoolID") and kind != "network" and not draft.is_new:
        raise ValueRefusedError(f"PoolID means nothing to an interface of type {kind}", contradiction=True)
    source = _SOURCES[kind](draft)
    draft.put("type", kind)
    for field in _LOCATIONS:
        if field in source:
            draft.put(field, source[field])
        elif getattr(draft.base, field):
            draft.put(field, None)


def write_mac(draft: Draft, value: str) -> None:
    """Address."""
    if not _MAC.fullmatch(value) or int(value[:2], 16) & 1:
        raise ValueRefusedError(f"Address: {value} is not the MAC address of one interface")
    address = value.lower()
    others = (device for device in draft.context.config.devices if device is not draft.base)
    twins = [other for other in others if isinstance(other, Interface) and (other.mac_address or "").lower() == address]
    is_teamed = bool(draft.given.get("TeamingType", draft.base.teaming_type))
    if any(not (is_teamed and other.teaming_type) for other in twins):
        raise ValueRefusedError(f"Address: another interface of the guest has the MAC address {value}")
    draft.put("mac_address", value)


def write_vlans(draft: Draft, _value: object) -> None:
    """VLANTags, NativeVLAN and NativeVLANMode together; no tags remove the VLANs."""
    tags = draft.given.get("VLANTags")
    if tags is None:
        tags = [tag.id for tag in draft.base.vlan_tags]
    own = next((tag for tag in draft.base.vlan_tags if tag.native_mode), None)
    native = draft.given.get("NativeVLAN", own and own.id)
    mode = draft.given.get("NativeVLANMode") or (own and own.native_mode) or "untagged"
    if any(tag is None or tag > _LAST_VLAN for tag in tags):
        raise ValueRefusedError(f"VLANTags: a VLAN has a number from 0 to {_LAST_VLAN}")
    if mode not in ("tagged", "untagged"):
        raise ValueRefusedError(f"Invalid value for NativeVLANMode: {mode}")
    if native is not None and native not in tags:
        if "NativeVLAN" in draft.given:
            raise ValueRefusedError("NativeVLAN: is not in VLANTags; expected one of them", contradiction=True)
        native = None
    draft.put("vlan_tags", [{"id": tag, "native_mode": mode if tag == native else None} for tag in tags])
    if not tags:
        draft.put("vlan_trunk", None)


def write_filter_parameters(draft: Draft, _value: object) -> None:
    """FilterParameterNames and FilterParameterValues together."""
    names = draft.given.get("FilterParameterNames")
    values = draft.given.get("FilterParameterValues")
    own = draft.base.filterref_parameters
    names = [parameter.name for parameter in own] if names is None else names
    values = [parameter.value for parameter in own] if values is None else values
    if len(names) != len(values) or None in names or None in values:
        raise ValueRefusedError("FilterParameterNames not matching FilterParameterValues")
    if names and not draft.now("filterref_filter"):
        raise ValueRefusedError("FilterParameterNames: the interface has no FilterRef", contradiction=True)
    pairs = zip(names, values, strict=True)
    draft.put("filterref_parameters", [{"name": name, "value": value} for name, value in pairs])


def write_addresses(draft: Draft, value: Any) -> None:
    """GuestAddresses."""
    addresses = []
    for text in value:
        try:
            found = ipaddress.ip_interface(text)
        except ValueError:
            raise ValueRefusedError(
                f"GuestAddresses: {text} is not an address; expected one such as 192.0.2.2/24"
            ) from None
        prefix = found.network.prefixlen if "/" in text else None
        family = "ipv4" if found.version == _IPV4 else "ipv6"
        addresses.append({"address": str(found.ip), "family": family, "prefix": prefix})
    draft.put("ips", addresses)


def rate(name: str, field: str) -> Writer:
    """Write a bandwidth, in the units that the client names, else in libvirt's kilobytes per second."""

    def write(draft: Draft, value: int) -> None:
        units = draft.given.get("AllocationUnits")
        factor = _NATIVE_RATE if units is None else rate_in(units)
        if factor is None:
            raise ValueRefusedError(f"Unknown AllocationUnits {units} of {name}")
        native = -(-(value * factor) // _NATIVE_RATE)
        draft.put(field, int(native) or None)

    return write


def finish_interface(draft: Draft) -> None:
    """Check a new interface as a whole, and fill in what was left open."""
    if draft.now("type") is None:
        raise ValueRefusedError("No Network Type specified")
    if draft.now("mac_address") is None:
        draft.put("mac_address", _new_mac(draft.context))
    if (
        draft.now("model_type") is None
        and draft.now("type") != "hostdev"
        and draft.context.platform.buses.network_model is not None
    ):
        draft.put("model_type", draft.context.platform.buses.network_model)


def _new_mac(context: DraftContext) -> str:
    """A MAC address that no guest of the hypervisor has."""
    taken = {
        (device.mac_address or "").lower()
        for config in (context.config, *_configs(context))
        for device in config.devices
        if isinstance(device, Interface)
    }
    for _ in range(_TRIES):
        tail = secrets.token_bytes(3)
        address = ":".join((context.platform.mac_prefix, *(f"{octet:02x}" for octet in tail)))
        if address not in taken:
            return address
    raise ValueRefusedError("Unable to generate a MAC address")


def _configs(context: DraftContext) -> list[DomainConfig]:
    domains = context.hypervisor.inventory.domains()
    return [config for domain in domains for config in (domain.live, domain.defined) if config is not None]


def _bridge(draft: Draft) -> dict[str, object]:
    name = draft.given.get("NetworkName", draft.base.source_bridge if draft.base.type == "bridge" else None)
    if name is None:
        raise ValueRefusedError("No Network bridge name specified")
    if not name:
        raise ValueRefusedError("Bridge name is empty")
    return {"source_bridge": name}


def _network(draft: Draft) -> dict[str, object]:
    name = _pool_name(draft)
    named = draft.given.get("NetworkName")
    if name is not None and named is not None and name != named:
        raise ValueRefusedError("PoolID and NetworkName name different networks", contradiction=True)
    name = name or named
    if name is None:
        if draft.base.type == "network":
            return {field: getattr(draft.base, field) for field in _LOCATIONS}
        networks = draft.context.hypervisor.inventory.networks()
        name = next((network.name for network in networks if network.active), None)
        if name is None:
            raise ValueRefusedError("No NetworkPool specified no default available")
    keeps = draft.base.source_portgroup if draft.base.source_network == name else None
    return {"source_network": name, "source_portgroup": keeps}


def _pool_name(draft: Draft) -> str | None:
    pool_id: str | None = draft.given.get("PoolID")
    if pool_id is None:
        return None
    name = pool_id.removeprefix(_POOL_PREFIX)
    if name == pool_id or not name:
        raise ValueRefusedError("PoolID specified is not formatted properly", pool_id)
    networks = draft.context.hypervisor.inventory.networks()
    return None if name == _ALL_NETWORKS and all(network.name != name for network in networks) else name


def _direct(draft: Draft) -> dict[str, object]:
    own = draft.base if draft.base.type == "direct" else None
    device = draft.given.get("SourceDevice", draft.given.get("NetworkName", own and own.source_dev))
    mode = draft.given.get("NetworkMode", own and own.source_mode)
    if device is None:
        raise ValueRefusedError("No Source Device specified")
    if not device:
        raise ValueRefusedError("Source Device is empty")
    if mode is not None and mode not in _MODES:
        raise ValueRefusedError(f"Invalid value for NetworkMode: {mode}")
    return {"source_dev": device, "source_mode": mode}


def _none(draft: Draft) -> dict[str, object]:
    return {}


_SOURCES: dict[str, Callable[[Draft], dict[str, object]]] = {
    "bridge": _bridge,
    "network": _network,
    "direct": _direct,
    "user": user_source,
    "ethernet": _none,
    **PEERS,
}
