"""All the settings of a configuration, and their types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from virtcim.providers.guest import Configuration
from virtcim.providers.site import Site
from virtcim.providers.Virt_RASD.setting import ResourceSetting

__all__ = ["setting_for", "setting_types", "settings_of"]


def setting_types(site: Site) -> Sequence[type[ResourceSetting[object]]]:
    """The types of settings, in the order in which libvirt-cim lists the resources of a guest."""
    return tuple(kind.setting for kind in site.kinds)


def settings_of(configuration: Configuration) -> Iterable[ResourceSetting[object]]:
    """All settings of a configuration."""
    types = setting_types(configuration.guest.site)
    return (setting for each in types for setting in each.in_configuration(configuration))


def setting_for(configuration: Configuration, identifier: str) -> ResourceSetting[Any] | None:
    """The setting of the resource with this identifier; None when there is no such resource."""
    entry = configuration.entries.get(identifier)
    if entry is None:
        return None
    shown_as: type[ResourceSetting[Any]] = entry.kind.setting
    return next(each for each in shown_as.in_configuration(configuration) if each.entry is entry)
