"""Templates as settings: CIM_VirtualSystemSettingData and CIM_ResourceAllocationSettingData that belong to no guest.

They are found by association and by GetInstance, and are not listed among the settings of guests.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Self

from virtcim.images.templates import SettingValue, Template
from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey, trimmed
from virtcim.providers.interface import CIMValue, EmbeddedInstance, Properties
from virtcim.providers.properties import PropertyTable, attribute
from virtcim.providers.site import Site
from virtcim.providers.sources import PLATFORMS

__all__ = [
    "SYSTEM_DISK",
    "TEMPLATE_PREFIX",
    "TemplateResource",
    "TemplateSetting",
    "find_template_resource",
    "find_template_setting",
    "resource_types",
    "resources_of_template",
    "setting_of_template",
    "template_named",
]

TEMPLATE_PREFIX = "template:"
"""What the InstanceID of the settings of a template begins with, before `ID@VERSION`."""

SYSTEM_DISK = "disk"
"""The part of the InstanceID of the system disk after that of the template."""

SUFFIX = "ResourceAllocationSettingData"
_DISK_DRIVE = 17


class TemplateSetting(Element):
    """The settings of a template as a whole.

    Attributes:
        template: the template.
        instance_id: the key.
    """

    __slots__ = ("instance_id", "template")

    base = "VirtualSystemSettingData"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No such instance (InstanceID)")
    source = PLATFORMS

    def __init__(self, site: Site, platform: Platform, template: Template) -> None:
        self.template = template
        self.instance_id = f"{TEMPLATE_PREFIX}{template.key}"
        super().__init__(site, platform, self.instance_id)

    @classmethod
    def all_of(cls, site: Site, platform: Platform) -> Iterable[Self]:
        """Those of all templates for a platform: they are not listed, and what leads from them is."""
        if site.library is not None and site.hypervisors(platform):
            for template in site.library.templates.all():
                if template.serves(platform.prefix):
                    yield cls(site, platform, template)

    @classmethod
    def made_from(cls, owner: object) -> Iterable[Self]:
        """None: templates are not listed."""
        return ()

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return repr(self.template)

    def properties(self) -> Properties:
        template = self.template
        known = {each.name: each.default for each in template.all_parameters if each.default and not each.secret}
        shown: dict[str, CIMValue] = {
            "InstanceID": self.instance_id,
            "ElementName": template.title or template.id,
            "Caption": trimmed(template.title or template.id),
            "Description": template.description or None,
            "ConfigurationName": template.key,
            "VirtualSystemType": self.platform.prefix,
            "ChangeableType": 0,
            "Arch": template.architecture or None,
            "Template": template.key,
            "TemplateParameters": [f"{name}={value}" for name, value in known.items()],
            **_plain(template.settings),
        }
        return {name: value for name, value in shown.items() if value is not None}


TemplateSetting.table = PropertyTable(
    attribute("InstanceID", lambda setting: setting.instance_id, source="id and version of the template")
)


class TemplateResource(Element):
    """The settings of one resource of a template.

    Attributes:
        template: the template.
        part: its number in the template, or `disk` for the system disk.
        values: its properties.
        instance_id: the key.
    """

    __slots__ = ("instance_id", "part", "template", "values")

    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "Missing InstanceID")
    source = PLATFORMS

    def __init__(self, site: Site, platform: Platform, template: Template, part: str, values: Properties) -> None:
        self.template = template
        self.part = part
        self.values = values
        self.instance_id = f"{TEMPLATE_PREFIX}{template.key}/{part}"
        super().__init__(site, platform, self.instance_id)

    @classmethod
    def made_from(cls, owner: object) -> Iterable[Self]:
        """None: templates are not listed."""
        return ()

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return repr(self.template)

    def properties(self) -> Properties:
        return {"InstanceID": self.instance_id, "ElementName": self.part, **self.values}

    @property
    def described(self) -> EmbeddedInstance:
        """The resource as DefineSystem takes it."""
        return EmbeddedInstance(self.class_name, dict(self.values))


@lru_cache(maxsize=256)
def _resource_type(base: str) -> type[TemplateResource]:
    made: Any = type(f"Template{base}", (TemplateResource,), {"__slots__": (), "base": base})
    made.table = PropertyTable(
        attribute(
            "InstanceID", lambda setting: setting.instance_id, source="id and version of the template, and a number"
        )
    )
    found: type[TemplateResource] = made
    return found


def template_named(site: Site, platform: Platform, instance_id: str) -> Template | None:
    """Find the template that an InstanceID means, for a platform; None where there is none.

    Parameters:
        instance_id: `template:ID@VERSION` or `template:ID:VERSION`, or `template:ID` for the newest version.
    """
    prefix, colon, key = instance_id.strip().partition(":")
    if site.library is None or not colon or prefix.casefold() != TEMPLATE_PREFIX[:-1]:
        return None
    template = site.library.templates.find(key)
    return template if template is not None and template.serves(platform.prefix) else None


def setting_of_template(site: Site, platform: Platform, template: Template) -> TemplateSetting:
    """The settings of a template as a whole, on a platform that it is for."""
    return TemplateSetting(site, platform, template)


def find_template_setting(site: Site, platform: Platform, instance_id: str) -> TemplateSetting | None:
    """The settings of a template with this InstanceID; None where there are none."""
    template = template_named(site, platform, instance_id)
    return None if template is None or not site.hypervisors(platform) else TemplateSetting(site, platform, template)


def resources_of_template(setting: TemplateSetting) -> Iterator[TemplateResource]:
    """The resources of a template that are not made anew for each guest, and the system disk."""
    return _resources(setting.site, setting.platform, setting.template)


def _resources(site: Site, platform: Platform, template: Template) -> Iterator[TemplateResource]:
    for number, given in enumerate(template.resources):
        values = {name: value for name, value in given.items() if name != "kind"}
        kind = _resource_type(f"{given['kind']}{SUFFIX}")
        yield kind(site, platform, template, str(number), _plain(values))
    if template.image is not None:
        disk: dict[str, CIMValue] = {"ResourceType": _DISK_DRIVE, "AllocationUnits": "byte"}
        if template.size:
            disk["VirtualQuantity"] = template.size
        yield _resource_type(f"Disk{SUFFIX}")(site, platform, template, SYSTEM_DISK, {**disk, **_plain(template.disk)})


def find_template_resource(site: Site, platform: Platform, base: str, instance_id: str) -> TemplateResource | None:
    """The settings of a resource of a template with this InstanceID; None where there are none.

    Parameters:
        base: the name of their class without the prefix.
    """
    setting = find_template_setting(site, platform, instance_id.rpartition("/")[0])
    if setting is None:
        return None
    found = (each for each in resources_of_template(setting) if each.instance_id == instance_id and each.base == base)
    return next(found, None)


def _plain(values: Mapping[str, SettingValue]) -> dict[str, CIMValue]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def resource_types(bases: Iterable[str]) -> tuple[type[TemplateResource], ...]:
    """The types of resources of templates, for each class that guests have settings of, too."""
    return tuple(map(_resource_type, bases))
