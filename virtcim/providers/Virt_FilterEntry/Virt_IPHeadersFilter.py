"""Rules for IP and the protocols above it."""

from __future__ import annotations

from ipaddress import ip_address

from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.Virt_FilterEntry.entry import COMMON, FilterEntry, matched, number_of, octets

__all__ = ["IPHeadersFilter"]

_IP = frozenset({"ip", "ipv6"})
_NUMBERS = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "sctp": 132,
    "udplite": 136,
}
_ABOVE = frozenset({"tcp", "udp", "sctp", "esp", "ah", "udplite", "all"})
_V6 = "v6"


class IPHeadersFilter(FilterEntry):
    """A rule for IP packets (Virt_IPHeadersFilter)."""

    __slots__ = ()

    base = "IPHeadersFilter"
    protocols = _IP | _ABOVE | {f"{name}-ipv6" for name in _ABOVE} | {"icmp", "igmp", "icmpv6"}

    @property
    def version(self) -> int:
        """Of the Internet Protocol."""
        return 6 if _V6 in (self.protocol or "") else 4


def _protocol_number(entry: IPHeadersFilter) -> int | None:
    """What stands in the packet as the protocol above: asked for by a rule for all packets, else implied."""
    if entry.protocol in _IP:
        wanted = entry.fields.get("protocol", "")
        return _NUMBERS.get(wanted) or number_of(wanted)
    return _NUMBERS.get((entry.protocol or "").removesuffix("-ipv6"))


def _mask(name: str, field: str) -> Property[IPHeadersFilter]:
    """A mask, given in the form of an address or as the number of its ones."""

    def get(entry: IPHeadersFilter) -> list[int] | None:
        text = entry.fields.get(field)
        if text is None:
            return None
        ones, bits = number_of(text), 128 if entry.version == 6 else 32
        if ones is None or not 0 <= ones <= bits:
            return _address(text)
        return list((((1 << ones) - 1) << (bits - ones)).to_bytes(bits // 8, "big"))

    return Property(name, get, f"network filter XML rule/*/@{field}")


def _code_points(text: str) -> list[int] | None:
    number = number_of(text)
    return None if number is None else [number]


_address = octets(lambda text: ip_address(text).packed)

IPHeadersFilter.table = PropertyTable(
    COMMON,
    Property("HdrIPVersion", lambda entry: entry.version, "network filter XML name of the element in rule"),
    matched("HdrSrcAddress", "srcipaddr", "srcipfrom", read=_address),
    matched("HdrSrcAddressEndOfRange", "srcipto", read=_address),
    _mask("HdrSrcMask", "srcipmask"),
    matched("HdrDestAddress", "dstipaddr", "dstipfrom", read=_address),
    matched("HdrDestAddressEndOfRange", "dstipto", read=_address),
    _mask("HdrDestMask", "dstipmask"),
    Property("HdrProtocolID", _protocol_number, "network filter XML rule/ip/@protocol, else the element"),
    matched("HdrSrcPortStart", "srcportstart", read=number_of),
    matched("HdrSrcPortEnd", "srcportend", read=number_of),
    matched("HdrDestPortStart", "dstportstart", read=number_of),
    matched("HdrDestPortEnd", "dstportend", read=number_of),
    matched("HdrDSCP", "dscp", read=_code_points),
)
