"""What the methods give back: the resources that libvirt has really made."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from virtcim.libhelper.domains.change import DomainChange
from virtcim.libhelper.errors import LibvirtError
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import InstancePath
from virtcim.providers.Virt_RASD import ResourceSetting
from virtcim.providers.Virt_VirtualSystemManagementService.modification import Edit, Trace

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device, DomainDocument
    from virtcim.providers.guest import Configuration, Guest

__all__ = ["paths_of", "settle_addresses"]

_log = logging.getLogger(__name__)


def paths_of(edit: Edit) -> list[InstancePath]:
    """The resources that were added or changed, as the inventory has them now, in the order of the request."""
    guest = _present(edit.guest)
    configurations = [
        configuration
        for configuration in guest.configurations
        if configuration.is_present == (edit.defined is None or edit.live is not None or edit.change.live is None)
    ]
    others = [configuration for configuration in guest.configurations if configuration not in configurations]
    return [path for trace in edit.written if (path := _path(trace, configurations + others)) is not None]


def _present(guest: Guest) -> Guest:
    """The guest as it is now; as it was before when it is gone."""
    domain = guest.hypervisor.inventory.domain_by_uuid(guest.domain.uuid)
    found = None if domain is None else guest_named(guest.site, guest.platform, domain.name)
    return found or guest


def _path(trace: Trace, configurations: list[Configuration]) -> InstancePath | None:
    for configuration in configurations:
        types: type[ResourceSetting[object]] = trace.kind.setting
        for setting in types.in_configuration(configuration):
            if Trace.of(trace.kind, setting.device, configuration.config) == trace:
                return setting.path()
    return None


def settle_addresses(edit: Edit) -> None:
    """Give a device that was plugged in the place in the definition that it has in the running guest.

    libvirt finds a place for each of the two on its own; that they differ harms nobody, and so neither does a failure.
    """
    if not edit.plugged:
        return

    def settle(change: DomainChange) -> None:
        if change.live is None or change.defined is None:
            return
        for trace in edit.plugged:
            running, defined = _find(trace, change.live), _find(trace, change.defined)
            if running is not None and defined is not None and running.address and running.address != defined.address:
                change.defined.set(defined, {"address": dict(running.address)})

    guest = edit.guest
    try:
        guest.hypervisor.domains.change(guest.domain.uuid, settle)
    except LibvirtError as error:
        _log.debug("%r: the definition keeps its own addresses: %s", guest, error.message)


def _find(trace: Trace, document: DomainDocument) -> Device | None:
    config = document.config
    return next(
        (
            device
            for device in config.devices
            if device.tag == trace.tag and Trace.of(trace.kind, device, config) == trace
        ),
        None,
    )
