"""<prefix>_ElementSettingData: which settings are there for a guest, and which of them count (DSP1057).

A guest that runs in another configuration than the one it was defined in has both.  Its present (state) settings lead
to the defined ones, each resource to what it is to be at the next start.  A guest with one configuration has it for
both, and its settings lead to themselves: DSP1057's single-configuration approach, and what libvirt-cim shows.
The guest itself leads to both.  A snapshot is no configuration that it is in or is going to be in: see
`Virt_SnapshotOfVirtualSystem`.
"""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Pair, Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.guest import Configuration
from virtcim.providers.properties import Property, PropertyTable
from virtcim.providers.site import Site
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_RASD import ResourceSetting, setting_for, setting_types
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, setting_of, settings_of_guest

__all__ = ["element_setting_data"]

_UNKNOWN, _YES, _NO = 0, 1, 2

Setting = VirtualSystemSettingData | ResourceSetting[object]


def _settings(element: ComputerSystem | Setting) -> Iterable[Element]:
    """What an element has as settings."""
    if isinstance(element, ComputerSystem):
        return settings_of_guest(element.guest)
    if not element.configuration.is_present:
        return ()
    return _in(element.guest.configurations[-1], element)


def _elements(setting: Setting) -> Iterable[Element]:
    """What has an instance as its settings."""
    if setting.configuration.snapshot is not None:
        return
    if isinstance(setting, VirtualSystemSettingData):
        yield system_of(setting.guest)
    if setting.configuration is setting.guest.configurations[-1]:
        yield from _in(setting.guest.configurations[0], setting)


def _in(configuration: Configuration, setting: Setting) -> Iterable[Element]:
    """What a setting is in one of the configurations of its guest: nothing for a resource that is not there."""
    if isinstance(setting, VirtualSystemSettingData):
        return (setting_of(configuration),)
    counterpart = setting_for(configuration, setting.entry.identifier)
    return () if counterpart is None else (counterpart,)


def _is_current(pair: Pair) -> int:
    return _YES if pair.right.configuration.is_present else _NO


def _is_default(pair: Pair) -> int:
    configuration = pair.right.configuration
    guest = configuration.guest
    return _YES if guest.domain.persistent and configuration is guest.configurations[-1] else _NO


def _is_next(pair: Pair) -> int:
    return _UNKNOWN if pair.right.guest.domain.has_managed_save else _is_default(pair)


_COUNTS = PropertyTable(
    Property("IsCurrent", _is_current, "Is Current for the configuration in which the domain is now"),
    Property("IsDefault", _is_default, "Is Default for the definition of a persistent domain"),
    Property("IsNext", _is_next, "as IsDefault; unknown for a domain with a managed save"),
)


def element_setting_data(site: Site) -> Relation:
    """The association.

    A guest with a saved state starts in the configuration that it was saved in, which libvirt does not tell: IsNext is
    unknown then.
    """
    return Relation(
        site,
        "ElementSettingData",
        Role("ManagedElement", (ComputerSystem, VirtualSystemSettingData, *setting_types(site))),
        Role("SettingData", (VirtualSystemSettingData, *setting_types(site))),
        to_right=_settings,
        to_left=_elements,
        table=_COUNTS,
    )
