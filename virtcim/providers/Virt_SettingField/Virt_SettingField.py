"""The fields of the forms for the settings of guests, as each platform has them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Self

from virtcim.platforms.base import Platform
from virtcim.platforms.fields import SettingField as DeclaredField
from virtcim.platforms.forms import form_of
from virtcim.providers.base import Element, MainKey
from virtcim.providers.properties import PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.sources import PLATFORMS, Place

__all__ = ["SettingField"]


class SettingField(Element):
    """A field of a form (Virt_SettingField).

    Attributes:
        field: as it is declared.
        instance_id: the key.
    """

    __slots__ = ("field", "instance_id")

    base = "SettingField"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No InstanceID specified")
    source = PLATFORMS

    def __init__(self, site: Site, platform: Platform, field: DeclaredField) -> None:
        self.field = field
        self.instance_id = f"{platform.prefix}:{field.key}"
        super().__init__(site, platform, self.instance_id)

    @classmethod
    def made_from(cls, owner: Place) -> Iterable[Self]:
        if not owner.site.hypervisors(owner.platform):
            return ()
        return [cls(owner.site, owner.platform, field) for field in form_of(owner.platform)]

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.field

    @property
    def modes(self) -> list[int] | None:
        """The forms in which it can be edited."""
        return sorted(map(int, self.field.modes)) or None

    @property
    def choices(self) -> list[str] | None:
        """The values that can be chosen from."""
        return list(self.field.choices) or None

    @property
    def unit(self) -> str | None:
        """The unit of a number."""
        return self.field.unit or None

    @property
    def description(self) -> str | None:
        """A sentence for people."""
        return self.field.description or None

    @property
    def type(self) -> int:
        """What kind of value it has."""
        return int(self.field.type)


_SOURCE = "platform"

SettingField.table = PropertyTable(
    attribute("InstanceID", lambda field: field.instance_id, source=_SOURCE),
    attribute("ElementName", lambda field: field.field.label, source=_SOURCE),
    constant("Caption", "Field of a form"),
    attribute("Description", lambda field: field.description, source=_SOURCE),
    attribute("FieldClass", lambda field: field.field.element, source=_SOURCE),
    attribute("FieldName", lambda field: field.field.name, source=_SOURCE),
    attribute("FieldType", lambda field: field.type, source=_SOURCE),
    attribute("Category", lambda field: field.field.category, source=_SOURCE),
    attribute("Unit", lambda field: field.unit, source=_SOURCE),
    attribute("Choices", lambda field: field.choices, source=_SOURCE),
    attribute("Minimum", lambda field: field.field.least, source=_SOURCE),
    attribute("Maximum", lambda field: field.field.most, source=_SOURCE),
    attribute("DefaultValue", lambda field: field.field.default, source=_SOURCE),
    attribute("Modes", lambda field: field.modes, source=_SOURCE),
)
