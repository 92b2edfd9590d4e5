"""What a platform says of its guests: the fields of their forms, and the kinds of new ones."""

from virtcim.providers.Virt_SettingField.provider import SettingFieldProvider
from virtcim.providers.Virt_SettingField.Virt_MetaTemplate import MetaTemplate
from virtcim.providers.Virt_SettingField.Virt_SettingField import SettingField

__all__ = ["MetaTemplate", "SettingField", "SettingFieldProvider"]
