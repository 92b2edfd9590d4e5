"""What libvirt chose for a guest that runs: whoever sends that back for another guest has not asked for it.

A running guest shows the port that its display was given, the socket of its agent, the processor that was found for
it.  Another guest that was given the same ones could not run beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain import Device, DomainDocument
from virtcim.libhelper.documents.domain.difference import is_device_as_defined
from virtcim.providers.drafts import same
from virtcim.providers.guest import Configuration, ConfigurationKind
from virtcim.providers.Virt_RASD import setting_for
from virtcim.providers.Virt_VirtualSystemManagementService.targets import find_configuration, find_resource
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData

if TYPE_CHECKING:
    from virtcim.platforms.base import Platform
    from virtcim.providers.base import Element
    from virtcim.providers.guest import Guest
    from virtcim.providers.interface import Properties
    from virtcim.providers.site import Site

__all__ = ["without_choices_of_device", "without_choices_of_system"]


def without_choices_of_device(site: Site, platform: Platform, given: Properties) -> Properties:
    """Give what a client describes, with what the definition says in place of what libvirt chose.

    Parameters:
        site, platform: where the guest is.
        given: the properties of a resource; InstanceID names it, where they are from a guest.

    Returns:
        the same where that is no device of a guest that runs and outlasts its stop, or where the device is not as it
        is defined any more.
    """
    instance_id = given.get("InstanceID")
    target = find_resource(site, platform, instance_id) if isinstance(instance_id, str) else None
    if target is None or target.kind is not ConfigurationKind.STATE:
        return given
    running, defined = _both(target.guest)
    if running is None or defined is None:
        return given
    now, then = setting_for(running, target.identifier), setting_for(defined, target.identifier)
    if now is None or then is None or now.entry.kind.is_guest_wide:
        return given
    domain = target.guest.domain
    texts = [
        DomainDocument(document.text).device_xml(setting.device)
        for document, setting in ((domain.live_document, now), (domain.defined_document, then))
        if document is not None and isinstance(setting.device, Device)
    ]
    return _replaced(given, now, then) if is_device_as_defined(*texts) else given


def without_choices_of_system(site: Site, platform: Platform, given: Properties) -> Properties:
    """Give what a client describes of a guest as a whole; parameters and result as of a device."""
    instance_id = given.get("InstanceID")
    target = find_configuration(site, platform, instance_id) if isinstance(instance_id, str) else None
    if target is None or target.kind is not ConfigurationKind.STATE or len(target.guest.configurations) > 1:
        return given
    running, defined = _both(target.guest)
    if running is None or defined is None:
        return given
    return _replaced(given, VirtualSystemSettingData(running), VirtualSystemSettingData(defined))


def _both(guest: Guest) -> tuple[Configuration | None, Configuration | None]:
    """The configuration of a guest that runs, and its definition."""
    defined = guest.domain.defined
    if not guest.domain.active or defined is None:
        return None, None
    return guest.state, Configuration(guest, defined, ConfigurationKind.DEFINED)


def _replaced(given: Properties, now: Element, then: Element) -> Properties:
    shown, said = now.properties(), then.properties()
    replaced = {
        name: said.get(name) if same(value, shown.get(name)) and name != "InstanceID" else value
        for name, value in given.items()
    }
    return {name: value for name, value in replaced.items() if value is not None}
