"""The store of images and templates, in the interop namespace: Virt_ImageStore, Virt_TemplateGroup, Virt_Template."""

from virtcim.providers.Virt_ImageStore.associations import StoreMembers, TemplateMembers
from virtcim.providers.Virt_ImageStore.provider import ImageStoreProvider
from virtcim.providers.Virt_ImageStore.templates import TemplateGroupProvider, TemplatesProvider

__all__ = ["ImageStoreProvider", "StoreMembers", "TemplateGroupProvider", "TemplateMembers", "TemplatesProvider"]
