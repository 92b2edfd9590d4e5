"""<prefix>_VirtualSystemSettingDataComponent: the settings of a guest or a template as a whole, and of its resources
(DSP1057)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.base import Element
from virtcim.providers.site import Site
from virtcim.providers.templates import (
    TemplateResource,
    TemplateSetting,
    resource_types,
    resources_of_template,
    setting_of_template,
)
from virtcim.providers.Virt_RASD import ResourceSetting, setting_types, settings_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData, setting_of

__all__ = ["virtual_system_setting_data_component"]


def _resource_settings(system: VirtualSystemSettingData | TemplateSetting) -> Iterable[Element]:
    return resources_of_template(system) if isinstance(system, TemplateSetting) else settings_of(system.configuration)


def _system_settings(resource: ResourceSetting[object] | TemplateResource) -> Iterable[Element]:
    if isinstance(resource, TemplateResource):
        return (setting_of_template(resource.site, resource.platform, resource.template),)
    return (setting_of(resource.configuration),)


def virtual_system_setting_data_component(site: Site) -> Relation:
    """The association."""
    types = setting_types(site)
    return Relation(
        site,
        "VirtualSystemSettingDataComponent",
        Role("GroupComponent", (VirtualSystemSettingData, TemplateSetting)),
        Role("PartComponent", (*types, *resource_types(each.base for each in types))),
        to_right=_resource_settings,
        to_left=_system_settings,
    )
