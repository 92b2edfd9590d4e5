"""What a guest is to be at its new place, where that is not what it is at its old one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import DomainDocument, MappingError
from virtcim.libhelper.names import DOMAIN
from virtcim.providers.drafts import Draft, DraftContext, ValueRefusedError
from virtcim.providers.guest import Configuration, ConfigurationKind
from virtcim.providers.interface import CIMError, EmbeddedInstance, Properties, Status
from virtcim.providers.Virt_RASD import setting_for
from virtcim.providers.Virt_VirtualSystemManagementService.resources import write_draft
from virtcim.providers.Virt_VirtualSystemManagementService.targets import find_resource
from virtcim.providers.Virt_VirtualSystemManagementService.wishes import changed_values
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

if TYPE_CHECKING:
    from virtcim.providers.guest import Guest
    from virtcim.providers.Virt_VSMigrationService.destination import Destination

__all__ = ["edited", "new_name"]

_NAMES = ("VirtualSystemIdentifier", "ElementName")


def new_name(guest: Guest, system: EmbeddedInstance | None) -> str:
    """The name that a guest is to have; "" where it keeps its own.

    Raises:
        CIMError: INVALID_PARAMETER for what libvirt takes as no name.
    """
    given = {} if system is None else system.properties
    for name in _NAMES:
        if isinstance(value := given.get(name), str) and value and value != guest.name:
            if objection := DOMAIN.objection(value):
                raise CIMError(Status.INVALID_PARAMETER, f"{name}: {objection}")
            return value
    return ""


def edited(
    guest: Guest,
    destination: Destination,
    xml: str,
    system: EmbeddedInstance | None,
    resources: Iterable[EmbeddedInstance | None],
) -> str:
    """Write what a client wants different into the XML of a guest.

    Parameters:
        guest: the guest.
        destination: where it goes: what is named there is looked for there.
        xml: of the guest as it is.
        system: NewSystemSettingData; its names are not written, as libvirt is told the new name beside.
        resources: NewResourceSettingData, each with the InstanceID of the resource that it is about.

    Returns:
        the XML for libvirt.

    Raises:
        CIMError: INVALID_PARAMETER for what is not possible.
    """
    document = DomainDocument(xml)
    try:
        if system is not None:
            _write_system(guest, destination, document, system)
        for resource in resources:
            if resource is not None:
                _write_resource(guest, destination, document, resource)
    except (ValueRefusedError, MappingError) as error:
        raise CIMError(Status.INVALID_PARAMETER, str(error)) from error
    return document.tostring()


def _write_system(guest: Guest, destination: Destination, document: DomainDocument, system: EmbeddedInstance) -> None:
    given = _given(system, lambda name: name not in _NAMES)
    shown = VirtualSystemSettingData(Configuration(guest, document.config, ConfigurationKind.STATE))
    changed = changed_values(shown, VirtualSystemSettingData.table, given)
    draft = Draft(_context(guest, destination, document), document.config, changed, is_new=False)
    draft.write(VirtualSystemSettingData.table)
    write_draft(document, draft)


def _write_resource(
    guest: Guest, destination: Destination, document: DomainDocument, resource: EmbeddedInstance
) -> None:
    given = _given(resource, lambda _: True)
    instance_id = given.get("InstanceID")
    if not isinstance(instance_id, str):
        raise ValueRefusedError("NewResourceSettingData: InstanceID is missing; expected that of a resource")
    target = find_resource(guest.site, guest.platform, instance_id)
    setting = None
    if target is not None and target.guest.domain.uuid == guest.domain.uuid:
        configuration = Configuration(guest, document.config, ConfigurationKind.STATE)
        setting = setting_for(configuration, target.identifier)
    if setting is None:
        raise ValueRefusedError(f"NewResourceSettingData: {instance_id} is no resource of {guest.name}")
    changed = changed_values(setting, setting.table, given)
    base = document.config if setting.entry.kind.is_guest_wide else setting.device
    draft = Draft(_context(guest, destination, document), base, changed, is_new=False)
    draft.write(setting.table)
    write_draft(document, draft, None if base is document.config else setting.device)


def _given(instance: EmbeddedInstance, is_taken: Callable[[str], bool]) -> Properties:
    return {name: value for name, value in instance.properties.items() if value is not None and is_taken(name)}


def _context(guest: Guest, destination: Destination, document: DomainDocument) -> DraftContext:
    site, hypervisor = destination.site or guest.site, destination.hypervisor or guest.hypervisor
    return DraftContext(site, guest.platform, hypervisor, document.config)
