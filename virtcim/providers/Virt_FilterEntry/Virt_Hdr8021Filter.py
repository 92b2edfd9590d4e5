"""Rules for Ethernet frames."""

from __future__ import annotations

from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.Virt_FilterEntry.entry import COMMON, FilterEntry, matched, number_of, octets

__all__ = ["Hdr8021Filter"]

_PROTOCOL_IDS = {"ipv4": 0x0800, "arp": 0x0806, "rarp": 0x8035, "vlan": 0x8100, "ipv6": 0x86DD}


class Hdr8021Filter(FilterEntry):
    """A rule for Ethernet frames, or for a protocol right above (Virt_Hdr8021Filter)."""

    __slots__ = ()

    base = "Hdr8021Filter"
    protocols = frozenset({"mac", "vlan", "stp", "arp", "rarp"})


def _address(text: str) -> bytes:
    return bytes.fromhex("".join(part.zfill(2) for part in text.split(":")))


def _protocol_id(entry: Hdr8021Filter) -> int | None:
    """What stands in the frame as its type: asked for by a rule for all frames, implied by one for a protocol."""
    wanted = entry.fields.get("protocolid") if entry.protocol == "mac" else entry.protocol
    return _PROTOCOL_IDS.get(wanted or "") or number_of(wanted or "")


_mac = octets(_address)

Hdr8021Filter.table = PropertyTable(
    COMMON,
    matched("HdrSrcMACAddr8021", "srcmacaddr", read=_mac),
    matched("HdrSrcMACMask8021", "srcmacmask", read=_mac),
    matched("HdrDestMACAddr8021", "dstmacaddr", read=_mac),
    matched("HdrDestMACMask8021", "dstmacmask", read=_mac),
    Property("HdrProtocolID8021", _protocol_id, "network filter XML rule/mac/@protocolid, else the element"),
    matched("HdrVLANID8021", "vlanid", read=number_of),
)
