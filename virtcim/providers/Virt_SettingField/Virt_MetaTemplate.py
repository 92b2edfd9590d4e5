"""The kinds of new guests that each platform has."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.platforms.base import Platform
from virtcim.platforms.metatemplates import MetaTemplate as DeclaredTemplate
from virtcim.providers.base import Element, MainKey
from virtcim.providers.interface import EmbeddedInstance
from virtcim.providers.properties import PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import PLATFORMS, Place

__all__ = ["MetaTemplate"]


class MetaTemplate(Element):
    """A kind of new guests (Virt_MetaTemplate).

    Attributes:
        template: as it is declared.
        instance_id: the key.
    """

    __slots__ = ("instance_id", "template")

    base = "MetaTemplate"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No InstanceID specified")
    source = PLATFORMS

    def __init__(self, site: Site, platform: Platform, template: DeclaredTemplate) -> None:
        self.template = template
        self.instance_id = f"{platform.prefix}:{template.name}"
        super().__init__(site, platform, self.instance_id)

    @classmethod
    def made_from(cls, owner: Place) -> Iterable[Self]:
        if not owner.site.hypervisors(owner.platform):
            return ()
        return [cls(owner.site, owner.platform, template) for template in owner.platform.meta_templates]

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.template.name

    @property
    def settings(self) -> EmbeddedInstance:
        """The settings that such a guest has."""
        return EmbeddedInstance(
            self.platform.class_name("VirtualSystemSettingData"),
            {"VirtualSystemType": self.platform.prefix, **self.template.settings},
        )


MetaTemplate.table = PropertyTable(
    attribute("InstanceID", lambda template: template.instance_id, source="platform"),
    attribute("ElementName", lambda template: template.template.title, source="platform"),
    constant("Caption", "Kind of new virtual systems"),
    attribute("SystemSettings", lambda template: template.settings, source="platform"),
)
