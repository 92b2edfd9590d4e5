"""From the resources that a client describes to devices in a domain document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from virtcim.libhelper.documents.domain.companions import make_room
from virtcim.providers.deviceids import SUFFIX, DeviceKind
from virtcim.providers.drafts import Draft, ValueRefusedError
from virtcim.providers.Virt_RASD.Virt_MemResourceAllocationSettingData import MemorySetting
from virtcim.schema.names import base_of, is_of_platform

if TYPE_CHECKING:
    from virtcim.libhelper.documents.domain import Device, DomainConfig, DomainDocument
    from virtcim.providers.drafts import DraftContext
    from virtcim.providers.interface import EmbeddedInstance, Properties

__all__ = [
    "GENERAL",
    "ResourceRequest",
    "add_device",
    "check_host",
    "described_before",
    "write_draft",
    "write_guest_wide",
]


GENERAL = frozenset(
    {
        *("InstanceID", "ElementName", "Caption", "Description", "Generation", "ChangeableType", "ConfigurationName"),
        *("ComponentSetting", "SoID", "SoOrgID", "ResourceType", "OtherResourceType", "ResourceSubType", "PoolID"),
        *("ConsumerVisibility", "HostResource", "AllocationUnits", "VirtualQuantity", "Reservation", "Limit", "Weight"),
        *("AutomaticAllocation", "AutomaticDeallocation", "Parent", "Connection", "Address", "MappingBehavior"),
        *("AddressOnParent", "VirtualQuantityUnits"),
    }
)
"""What every resource has (CIM_ResourceAllocationSettingData), whether it means something to it or not."""


class ResourceRequest:
    """One resource as a client describes it.

    Parameters:
        instance: as the client sent it.
        prefix: of the platform.
        kinds: of the resources of guests.

    Attributes:
        kind: what it is.
        given: the properties that are not NULL.

    Raises:
        ValueRefusedError: its class is not that of a resource, or not of this platform.
    """

    __slots__ = ("given", "instance", "kind")

    def __init__(self, instance: EmbeddedInstance, prefix: str, kinds: Sequence[DeviceKind]) -> None:
        self.instance = instance
        self.given: Properties = {name: value for name, value in instance.properties.items() if value is not None}
        self.kind = _kind(instance.class_name, self.given, prefix, kinds)
        if self.kind.setting is MemorySetting and "VirtualQuantityUnits" in self.given:
            self.given = {"AllocationUnits": self.given["VirtualQuantityUnits"], **self.given}

    @property
    def is_guest_wide(self) -> bool:
        """Whether it is a property of the guest rather than a device of its own."""
        return self.kind.is_guest_wide

    @property
    def instance_id(self) -> str | None:
        """The InstanceID, where it was given."""
        found = self.given.get("InstanceID")
        return found if isinstance(found, str) else None


def _kind(class_name: str, given: Properties, prefix: str, kinds: Sequence[DeviceKind]) -> DeviceKind:
    base = base_of(class_name)
    if not is_of_platform(class_name, prefix) or not base.endswith(SUFFIX):
        raise ValueRefusedError("Unable to determine resource type", class_name)
    word = base.removesuffix(SUFFIX)
    kind = next((each for each in kinds if word in (each.word, *each.synonyms)), None)
    if kind is None:
        raise ValueRefusedError("Resource type not supported on this platform", class_name)
    if kind.word:
        return kind
    return next((each for each in kinds if each.is_meant(given)), kind)


def write_draft(document: DomainDocument, draft: Draft, device: Device | None = None) -> Device | None:
    """Put what a draft has collected into the document.

    Parameters:
        device: that the draft is of; None when it is of the domain.

    Returns:
        the device as it is now.
    """
    written = document.set(device, draft.fields) if device is not None else None
    values = {**(draft.fields if device is None else {}), **draft.domain_fields}
    if values:
        document.set(document.config, values)
    for other, fields in draft.device_fields:
        document.set(other, fields)
    return written


def described_before(requests: Sequence[ResourceRequest]) -> dict[ResourceRequest, ResourceRequest]:
    """Find what is one device: a pseudo terminal is listed as text console and as graphical one, in the same order.

    Parameters:
        requests: all resources that a client describes.

    Returns:
        the request that describes the device first, by the one that describes it again.
    """
    found: dict[ResourceRequest, ResourceRequest] = {}
    unpaired: list[ResourceRequest] = []
    for request in requests:
        if not request.kind.is_shared(request.given):
            continue
        first = next((each for each in unpaired if each.kind is not request.kind), None)
        if first is None:
            unpaired.append(request)
        else:
            unpaired.remove(first)
            found[request] = first
    return found


def add_device(
    document: DomainDocument, context: DraftContext, wanted: ResourceRequest, same: Device | None = None
) -> tuple[Device, Draft]:
    """Add a new device to the document.

    Parameters:
        document: to which.
        context: of its draft.
        wanted: what is described.
        same: the device, where it has been added as another kind.

    Returns:
        the device, and the draft that it was made from.

    Raises:
        ValueRefusedError: it is not possible.
    """
    kind = wanted.kind
    if kind.device_class is None:
        raise ValueRefusedError("Resource type not supported on this platform", wanted.instance.class_name)
    device_class = kind.device_class(context, wanted.given)
    _check_meaning(wanted, device_class)
    draft = Draft(context, device_class() if same is None else same, wanted.given, is_new=True)
    draft.write(kind.setting.table)
    kind.finish(draft)
    if draft.domain_fields:
        document.set(document.config, draft.domain_fields)
    make_room(document, device_class)
    fields = {name: value for name, value in draft.fields.items() if value is not None}
    return document.add_device(device_class, fields) if same is None else document.set(same, fields), draft


def _check_meaning(wanted: ResourceRequest, device_class: type[Device]) -> None:
    """Refuse what only devices of another kind have.

    The class of the setting says what its devices have, except the class above all of them.

    Raises:
        ValueRefusedError: names the property.
    """
    if base_of(wanted.instance.class_name) != SUFFIX:
        return
    foreign = next(
        (name for name in wanted.given if name not in wanted.kind.setting.table and name not in GENERAL), None
    )
    if foreign is not None:
        raise ValueRefusedError(f"{foreign} does not apply to <{device_class.tag}>", contradiction=True)


def write_guest_wide(document: DomainDocument, context: DraftContext, wanted: ResourceRequest) -> Draft:
    """Write the memory or the processors of a new guest.

    Returns:
        the draft that was written.

    Raises:
        ValueRefusedError: they are not possible together.
    """
    given = wanted.given
    if wanted.kind.setting is MemorySetting:
        if "VirtualQuantity" not in given and "Reservation" not in given:
            raise ValueRefusedError("Missing `VirtualQuantity' field in Memory RASD")
    elif "VirtualQuantity" not in given and not context.platform.containers:
        raise ValueRefusedError("Missing `VirtualQuantity' field in Processor RASD")
    draft = Draft(context, document.config, given, is_new=True)
    draft.write(wanted.kind.setting.table)
    write_draft(document, draft)
    return draft


def check_host(context: DraftContext, before: DomainConfig | None = None) -> None:
    """Refuse what makes a guest larger than its host can have it.

    Parameters:
        context: with the configuration that is to be.
        before: the configuration as it was; None for a new guest.  What does not grow is not held against the host.
    """
    config, limits = context.config, context.hypervisor.guest_limits(context.config)
    most, processors = limits.memory, limits.processors
    memory_before, processors_before = (0, 0) if before is None else (before.memory or 0, before.vcpu or 0)
    if most and (config.memory or 0) > max(most, memory_before):
        raise ValueRefusedError(f"VirtualQuantity: {config.memory} KiB are more than the host has, {most} KiB")
    if processors and (config.vcpu or 0) > max(processors, processors_before):
        raise ValueRefusedError(
            f"VirtualQuantity: {config.vcpu} processors are more than a guest can have here, {processors}"
        )
