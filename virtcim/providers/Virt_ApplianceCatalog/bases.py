"""What guests of appliances begin with: a template of the administrator's, in place of what the platform says."""

from __future__ import annotations

from collections.abc import Mapping

from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.machine import Machine
from virtcim.libhelper.documents.domain import DomainDocument, MappingError
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.platforms.base import Platform
from virtcim.platforms.metatemplates import MetaTemplate, SettingValue
from virtcim.providers.drafts import Draft, DraftContext, ValueRefusedError
from virtcim.providers.site import Site
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

__all__ = ["ApplianceBases"]


class ApplianceBases:
    """See `translation.Bases`.

    Parameters:
        site, platform, hypervisor: where the guests are to be.
    """

    def __init__(self, site: Site, platform: Platform, hypervisor: Hypervisor) -> None:
        self._site, self._platform, self._hypervisor = site, platform, hypervisor

    def find(self, machine: Machine, arch: str) -> MetaTemplate | None:
        """See `translation.Bases`."""
        if self._site.library is None:
            return None
        templates = self._site.library.templates
        found = templates.for_appliance(self._platform.prefix, machine.kinds, arch, machine.firmware)
        if found is None:
            return None
        settings = {name: value for name, value in found.settings.items() if not isinstance(value, tuple)}
        return MetaTemplate(found.id, found.title, settings)

    def write(self, document: DomainDocument, settings: Mapping[str, SettingValue]) -> None:
        """See `translation.Bases`."""
        context = DraftContext(self._site, self._platform, self._hypervisor, document.config)
        try:
            draft = Draft(context, document.config, dict(settings), is_new=True)
            draft.write(VirtualSystemSettingData.table)
            document.set(document.config, {**draft.fields, **draft.domain_fields})
        except (ValueRefusedError, MappingError) as error:
            raise ApplianceError(f"settings that guests of appliances begin with: {error}") from None
