"""Rules that name no protocol, or one that is not known here."""

from __future__ import annotations

from virtcim.providers.properties import Property, PropertyTable, constant
from virtcim.providers.Virt_FilterEntry.entry import COMMON, FilterEntry
from virtcim.providers.Virt_FilterEntry.Virt_Hdr8021Filter import Hdr8021Filter
from virtcim.providers.Virt_FilterEntry.Virt_IPHeadersFilter import IPHeadersFilter

__all__ = ["PlainFilterEntry"]

_PERMIT, _DENY = 1, 2
_ACTIONS = {"accept": _PERMIT, "drop": _DENY, "reject": _DENY}
"""The class has no other values."""

_ANY_TRAFFIC, _OTHER_TRAFFIC = 4, 5
_ANY_CONDITION, _OTHER_CONDITION = 13, 1


class PlainFilterEntry(FilterEntry):
    """A rule for all traffic (Virt_FilterEntry)."""

    __slots__ = ()

    base = "FilterEntry"

    @classmethod
    def is_for(cls, protocol: str | None) -> bool:
        """Those of a protocol that nobody knows are like those without one."""
        return protocol not in Hdr8021Filter.protocols | IPHeadersFilter.protocols

    table = PropertyTable(
        COMMON,
        Property("Action", lambda entry: _ACTIONS.get(entry.rule.action or ""), "network filter XML rule/@action"),
        Property(
            "TrafficType",
            lambda entry: _OTHER_TRAFFIC if entry.protocol else _ANY_TRAFFIC,
            "network filter XML name of the element in rule",
        ),
        Property("OtherTrafficType", lambda entry: entry.protocol, "network filter XML name of the element in rule"),
        Property(
            "MatchConditionType",
            lambda entry: _OTHER_CONDITION if entry.protocol else _ANY_CONDITION,
            "network filter XML name of the element in rule",
        ),
        Property(
            "OtherMatchConditionType", lambda entry: entry.protocol, "network filter XML name of the element in rule"
        ),
        constant("DefaultFilter", False, "always false: libvirt has no default rule"),
    )
