"""What a client wants of an object that it describes: what is not as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtcim.providers.drafts import ValueRefusedError, same
from virtcim.providers.units import ratio_of
from virtcim.providers.Virt_RASD.Virt_DiskResourceAllocationSettingData import DiskSetting

if TYPE_CHECKING:
    from fractions import Fraction

    from virtcim.providers.base import Element
    from virtcim.providers.interface import CIMValue, Properties
    from virtcim.providers.properties import PropertyTable

__all__ = ["changed_values"]

_DESCRIPTIVE = frozenset(
    {
        "InstanceID",
        "ElementName",
        "Caption",
        "Description",
        "Notes",
        "ChangeableType",
        "Parent",
        "AddressOnParent",
        "ConsumerVisibility",
        "MappingBehavior",
        "AutomaticAllocation",
        "AutomaticDeallocation",
        "PoolID",
        "HostResource",
        "Connection",
        "VirtualQuantityUnits",
        "ResourceType",
        "OtherResourceType",
        "VirtualQuantity",
        "VirtualSystemIdentifier",
        "VirtualSystemType",
    }
)
"""What only describes a resource, and so may be stale in what a client sends back."""
_UNITS = "AllocationUnits"
_AMOUNTS = frozenset({"VirtualQuantity", "Reservation", "Limit"})
"""What is counted in these units in every setting."""
_ADDRESS = ("AddressProperties", "AddressValues")


def changed_values(setting: Element, table: PropertyTable[Any], given: Properties) -> dict[str, CIMValue]:
    """What a client wants changed: the properties that are not as they are.

    What is sent back as it was is no wish, whatever else is changed: who gets an instance, gives it another Address and
    sends it back has not asked for the format of the old image.

    Raises:
        ValueRefusedError: a property that cannot be changed is to be.
    """
    now = setting.properties()
    ratio = _ratio(given.get(_UNITS), now.get(_UNITS))
    changed: dict[str, CIMValue] = {}
    for name, value in given.items():
        declared = table.get(name)
        if _is_as_it_is(name, value, now.get(name), ratio):
            continue
        if declared is not None and declared.write is not None:
            changed[name] = value
        elif name not in _DESCRIPTIVE and name != _UNITS:
            raise ValueRefusedError(f"{name} cannot be changed")
    if changed.keys() & set(_ADDRESS):
        changed |= {name: given.get(name, now.get(name)) for name in _ADDRESS}
    if isinstance(setting, DiskSetting) and "Address" in given.keys() - changed.keys():
        # Beside the address that the disk has, it says nothing: it may be anything in what is sent back.
        changed.pop("PoolID", None)
    if changed and _UNITS in given:
        changed[_UNITS] = given[_UNITS]
    return changed


def _ratio(given: CIMValue, shown: CIMValue) -> Fraction | int | None:
    """How many of the units that a setting is shown in one of those that are given is; None where nobody knows.

    No units are those that it is shown in.
    """
    if not given or same(given, shown):
        return 1
    return ratio_of(given, shown) if isinstance(given, str) and isinstance(shown, str) else None


def _is_as_it_is(name: str, value: CIMValue, shown: CIMValue, ratio: Fraction | int | None) -> bool:
    """Whether a value says what is there already, in whatever units it says it."""
    if ratio == 1 or not isinstance(value, int) or isinstance(value, bool):
        return same(value, shown)
    return name in _AMOUNTS and ratio is not None and isinstance(shown, int) and value * ratio == shown
