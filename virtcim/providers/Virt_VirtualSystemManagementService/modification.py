"""Changing guests: settings of the whole, and resources added, changed and removed."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import (
    Audio,
    Controller,
    Device,
    Disk,
    DomainConfig,
    DomainDocument,
    Interface,
    MemoryDevice,
)
from virtcim.libhelper.documents.domain.companions import remove_device, settle_audio, settle_buses, twin_of
from virtcim.libhelper.domains.live import (
    attach,
    detach,
    device_fields,
    device_steps,
    domain_fields,
    domain_steps,
    settled_fields,
)
from virtcim.libhelper.inventory.records import Domain
from virtcim.platforms.base import Feature
from virtcim.providers.deviceids import SUFFIX, DeviceKind
from virtcim.providers.drafts import Draft, DraftContext, ValueRefusedError
from virtcim.providers.guest import Configuration, ConfigurationKind
from virtcim.providers.interface import CIMError, CIMValue, Properties, Status
from virtcim.providers.methods import MethodFailedError
from virtcim.providers.Virt_RASD import ResourceSetting, setting_for
from virtcim.providers.Virt_VirtualSystemManagementService.confirmation import Confirmation
from virtcim.providers.Virt_VirtualSystemManagementService.effect import check_effect
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import ReturnCode
from virtcim.providers.Virt_VirtualSystemManagementService.resources import (
    ResourceRequest,
    add_device,
    check_host,
    described_before,
    write_draft,
)
from virtcim.providers.Virt_VirtualSystemManagementService.targets import Scope, Target
from virtcim.providers.Virt_VirtualSystemManagementService.wishes import changed_values
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData
from virtcim.schema.names import base_of

if TYPE_CHECKING:
    from virtcim.libhelper.domains.change import DomainChange, LiveStep
    from virtcim.providers.guest import Guest

__all__ = ["Edit", "Trace", "add_resources", "modify_resources", "modify_system", "remove_resources"]

_OWN_OF_TWINS = frozenset({"target_type", "target_port", "target_model_name", "address"})
"""What the first console and the serial port that it is say of themselves."""


@immutable
class Trace:
    """How to find a resource again when libvirt has made something of it.

    Attributes:
        kind: of the resource.
        tag: its XML element.
        key: what tells it from others of that element.
    """

    kind: DeviceKind
    tag: str
    key: Hashable

    @classmethod
    def of(cls, kind: DeviceKind, device: Any, config: DomainConfig) -> Trace:
        """The trace of a device of a configuration, or of its memory or processors."""
        if kind.is_guest_wide:
            return cls(kind, "", "")
        match device:
            case Disk():
                key: Hashable = device.target_dev
            case Interface():
                key = (device.mac_address or "").lower()
            case Controller():
                key = (device.type, device.index, device.master_startport)  # those of one bus share its number
            case Audio():
                key = device.id
            case _:
                same_tag = [other for other in config.devices if other.tag == device.tag]
                key = next((place for place, other in enumerate(same_tag) if other is device), None)
        return cls(kind, str(device.tag), key)


@dataclass
class Edit:
    """One guest's change under way.

    Attributes:
        guest: the guest.
        change: its documents and steps.
        scope: what is acted on.
        written: the resources that were added or changed, in the order of the request.
        plugged: the devices that are plugged into the running guest and added to its definition.
        confirmation: takes down what is asked of the definition; None where that is not changed.
        live_confirmation: the same of the running guest.
    """

    guest: Guest
    change: DomainChange
    scope: Scope
    written: list[Trace] = field(default_factory=list)
    plugged: list[Trace] = field(default_factory=list)
    confirmation: Confirmation | None = field(init=False, default=None)
    live_confirmation: Confirmation | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.defined is not None:
            self.confirmation = Confirmation(self.defined)
            self.change.checks.append(self.confirmation.check)
        if self.live is not None:
            self.live_confirmation = Confirmation(self.live)
            self.change.live_checks.append(self.live_confirmation.check)

    @property
    def live(self) -> DomainDocument | None:
        """The document of the running guest, where that is to be changed."""
        return self.change.live if self.scope is not Scope.DEFINED else None

    @property
    def defined(self) -> DomainDocument | None:
        """The document of the definition, where that is to be changed."""
        return self.change.defined if self.scope is not Scope.LIVE else None

    @property
    def documents(self) -> Sequence[DomainDocument]:
        """The documents to be changed; the one that the client sees first."""
        return [document for document in (self.live, self.defined) if document is not None]

    def configuration(self, document: DomainDocument) -> Configuration:
        """A document as a configuration of the guest."""
        is_present = self.scope is not Scope.DEFINED or self.change.live is None
        kind = ConfigurationKind.STATE if is_present else ConfigurationKind.DEFINED
        return Configuration(self.guest, document.config, kind)

    def judged(self, document: DomainDocument) -> Configuration | None:
        """A document as the configuration in which all that is asked for is to show.

        Of a definition it is what the guest is at its next start, whatever a running one is on its way to.  It is None
        for a running guest that shows what cannot be changed now at its next start.
        """
        if document is not self.change.live:
            return Configuration(self.guest, document.config, ConfigurationKind.DEFINED)
        return self.configuration(document) if self.scope is Scope.LIVE else None

    def draft_context(self, document: DomainDocument) -> DraftContext:
        """Give where a draft for a document is made."""
        guest = self.guest
        return DraftContext(
            guest.site, guest.platform, guest.hypervisor, document.config, live=document is self.change.live
        )

    def setting(self, document: DomainDocument, identifier: str) -> ResourceSetting[Any] | None:
        """The setting of a resource as it is in a document."""
        return setting_for(self.configuration(document), identifier)


def modify_system(edit: Edit, given: Properties) -> None:
    """Change the settings of a guest as a whole."""
    table = VirtualSystemSettingData.table
    first = edit.documents[0]
    changed = changed_values(VirtualSystemSettingData(edit.configuration(first)), table, given)
    for document in edit.documents:
        judged = edit.judged(document)
        before = {} if judged is None else VirtualSystemSettingData(judged).properties()
        draft = Draft(edit.draft_context(document), document.config, changed, is_new=False)
        draft.write(table)
        name = draft.fields.pop("name", None)
        if isinstance(name, str) and name != edit.guest.name:
            _rename(edit, name)
        if draft.autostart is not None:
            _start_with_host(edit, draft.autostart)
        _write_domain(edit, document, draft)
        judged = edit.judged(document)
        if judged is not None:
            check_effect("", changed, before, VirtualSystemSettingData(judged))


def _rename(edit: Edit, name: str) -> None:
    if edit.change.live is not None:
        raise MethodFailedError(ReturnCode.INVALID_STATE, "VirtualSystemIdentifier: a running guest cannot be renamed")
    guest = edit.guest.hypervisor.inventory.refresh(edit.guest.domain.uuid)
    if isinstance(guest, Domain) and guest.has_checkpoints:
        # libvirt moves what it keeps of them to where it keeps snapshots, and does not find it at its next start.
        raise MethodFailedError(
            ReturnCode.INVALID_STATE, "VirtualSystemIdentifier: a guest with checkpoints cannot be renamed"
        )
    edit.change.name = name


def _start_with_host(edit: Edit, wanted: bool) -> None:
    if edit.change.defined is None:
        raise MethodFailedError(ReturnCode.INVALID_STATE, "AutoStart: the guest does not outlast its stop")
    edit.change.autostart = wanted


def _confirm(edit: Edit, identifier: str, draft: Draft, device: Device | None) -> None:
    """Have what was written to the definition held against what libvirt makes of it."""
    if edit.confirmation is not None:
        edit.confirmation.add(identifier, draft, device)


def _confirm_live(edit: Edit, identifier: str, draft: Draft, device: Device | None, names: Collection[str]) -> None:
    """Have what was changed of the running guest held against what it is then."""
    if edit.live_confirmation is not None:
        edit.live_confirmation.add(identifier, draft, device, names)


def _write_domain(edit: Edit, document: DomainDocument, draft: Draft, identifier: str = "") -> None:
    """Put a draft of the whole into a document; of a running guest what can be changed now."""
    if document is not edit.change.live:
        before = document.config
        write_draft(document, draft)
        settle_buses(document, before)
        _confirm(edit, identifier, draft, None)
        return
    now = domain_fields(draft.fields)
    _check_live(edit, draft, now)
    before = document.config
    document.set(before, {name: draft.fields[name] for name in now})
    _take_steps(edit, domain_steps(edit.change.context, before, document.config))
    names = settled_fields(document.config, now, has_next_start=edit.scope is Scope.BOTH)
    _confirm_live(edit, identifier, draft, None, names)


def _take_steps(edit: Edit, steps: Iterable[LiveStep]) -> None:
    """Have the running guest changed; what its driver has no call for waits for the next start, where that is meant."""
    may_wait = edit.scope is Scope.BOTH
    edit.change.steps.extend(replace(step, may_wait=may_wait) for step in steps)


def _check_live(edit: Edit, draft: Draft, now: Iterable[str]) -> None:
    """Refuse what a running guest cannot take, where nothing but the running guest is to be changed."""
    if edit.scope is not Scope.LIVE:
        return
    later = [name for name in draft.fields if name not in now and draft.fields[name] != getattr(draft.base, name, None)]
    if later or draft.device_fields or draft.domain_fields:
        names = ", ".join(sorted(draft.given))
        raise MethodFailedError(ReturnCode.INVALID_STATE, f"{names}: cannot be changed while the guest runs")


def modify_resources(edit: Edit, wanted: Sequence[tuple[Target, ResourceRequest]]) -> None:
    """Change resources of one guest."""
    before = {id(document): document.config for document in edit.documents}
    played: dict[int | None, str] = {}
    for target, resource in wanted:
        trace: Trace | None = None
        changed: dict[str, CIMValue] | None = None
        for document in edit.documents:
            setting = edit.setting(document, target.identifier)
            if setting is None:
                continue
            _check_kind(setting, resource)
            if changed is None:
                changed = changed_values(setting, setting.table, resource.given)
            device = _modify(edit, document, setting, changed)
            trace = Trace.of(setting.entry.kind, device, document.config)
        if trace is None:
            raise CIMError(Status.FAILED, f"Device `{target.identifier}' not found")
        edit.written.append(trace)
        if isinstance(device, Audio) and changed and "ResourceSubType" in changed:
            played[device.id] = target.identifier
    _settle_audio(edit, played)
    for document in edit.documents:
        check_host(edit.draft_context(document), before[id(document)])


def _settle_audio(edit: Edit, played: Mapping[int | None, str]) -> None:
    """Have the sound of the next start go with its displays, of which any may have changed.

    Parameters:
        edit: the change.
        played: by their numbers, the identifiers of the backends that are to play through something else than before.

    Raises:
        ValueRefusedError: one of them is to play through a display that there is not.
    """
    for document in edit.documents:
        settled = [] if document is edit.change.live else settle_audio(document)
        refused = next((each for each in settled if each.id in played), None)
        if refused is not None:
            raise ValueRefusedError(
                f"{played[refused.id]}: ResourceSubType {refused.type} plays through a SPICE display;"
                " expected a guest that has one"
            )


def _check_kind(setting: ResourceSetting[object], resource: ResourceRequest) -> None:
    generic = base_of(resource.instance.class_name) == SUFFIX
    if resource.kind is not setting.entry.kind and not generic:
        raise ValueRefusedError(f"{resource.instance.class_name} is not the class of {resource.instance_id}")


def _modify(edit: Edit, document: DomainDocument, setting: ResourceSetting[Any], changed: Properties) -> Any:
    """Change one resource in one document; the device as it is then."""
    kind, identifier = setting.entry.kind, setting.entry.identifier
    judged = edit.judged(document)
    shown = None if judged is None else setting_for(judged, identifier)
    before = {} if shown is None else shown.properties()
    draft = Draft(edit.draft_context(document), setting.device, changed, is_new=False)
    draft.write(setting.table)
    if kind.is_guest_wide:
        _write_domain(edit, document, draft, identifier)
        device: Any = document.config
    elif document is edit.change.live:
        device = _write_live_device(edit, document, setting, draft)
    else:
        device = _write_device(edit, document, setting, draft)
    judged = edit.judged(document)
    after = None if judged is None else _setting_of(judged, kind, device)
    if after is not None:
        check_effect(identifier, changed, before, after)
    return device


def _setting_of(configuration: Configuration, kind: DeviceKind, device: object) -> ResourceSetting[object] | None:
    """The setting of a device in a configuration; None where the device is gone."""
    entries = configuration.entries.values()
    entry = next((each for each in entries if each.device is device and each.kind is kind), None)
    return None if entry is None else setting_for(configuration, entry.identifier)


def _write_live_device(edit: Edit, live: DomainDocument, setting: ResourceSetting[Device], draft: Draft) -> Device:
    """Put what can be changed now of a draft into the document of the running guest, with the steps that do it."""
    place = live.devices.index(setting.device)
    plugs = edit.guest.platform.supports(Feature.HOTPLUG)
    now = device_fields(setting.device, draft.fields) if plugs else frozenset()
    _check_live(edit, draft, now)
    _take_steps(edit, device_steps(live, setting.device, {name: draft.fields[name] for name in now}))
    device = live.devices[place]
    _confirm_live(edit, setting.entry.identifier, draft, device, now)
    return device


def _write_device(
    edit: Edit, document: DomainDocument, setting: ResourceSetting[Device], draft: Draft
) -> Device | None:
    """Put a draft of a device into the definition, and into what is the same device under another name."""
    twin = twin_of(document.config, setting.device)
    written = write_draft(document, draft, setting.device)
    if twin is not None:
        document.set(twin, {name: value for name, value in draft.fields.items() if name not in _OWN_OF_TWINS})
    _confirm(edit, setting.entry.identifier, draft, written)
    return None if written is None else document.current(written)


def add_resources(edit: Edit, wanted: Sequence[ResourceRequest]) -> None:
    """Add resources to a guest."""
    before = described_before(wanted)
    made: dict[ResourceRequest, Device] = {}
    for resource in wanted:
        if resource.is_guest_wide:
            raise CIMError(Status.FAILED, f"Cannot add resources of type {resource.kind.resource_type}")
        document = edit.defined or edit.live
        if document is None:
            continue
        same = made.get(before[resource]) if resource in before else None
        device, draft = add_device(document, edit.draft_context(document), resource, same)
        made[resource] = device
        trace = Trace.of(resource.kind, device, document.config)
        edit.written.append(trace)
        xml = document.device_xml(device)
        if document is edit.defined:
            _confirm(edit, device.tag, draft, device)
            _count_memory(document, device, 1)
        if edit.live is None or same is not None:
            continue
        if document is edit.live:
            _plug_in(edit, edit.live, device, draft)
        elif _is_plugged(edit, device):
            _plug_in(edit, edit.live, edit.live.add_device(xml), draft)
            edit.plugged.append(trace)


def _count_memory(document: DomainDocument, device: Device, sign: int) -> None:
    """Have the guest given all of a memory module that comes, and none of one that goes."""
    config = document.config
    if isinstance(device, MemoryDevice) and device.target_size and "current_memory" in config.as_dict():
        document.set(config, {"current_memory": (config.current_memory or 0) + sign * device.target_size})


def _is_plugged(edit: Edit, device: Device) -> bool:
    """Whether a device is plugged into the running guest too.

    Of all others, as libvirt-cim has it, only the definition is changed where the client does not tell the two apart.
    """
    kinds = edit.guest.site.kinds
    return any(device.tag in kind.plugs for kind in kinds) and edit.guest.platform.supports(Feature.HOTPLUG)


def _plug_in(edit: Edit, live: DomainDocument, device: Device, draft: Draft) -> None:
    edit.change.steps.append(attach(edit.change.context, live, device))
    _confirm_live(edit, device.tag, draft, device, draft.fields)


def remove_resources(edit: Edit, targets: Sequence[Target]) -> None:
    """Remove resources of one guest."""
    found = [
        (target, [(document, edit.setting(document, target.identifier)) for document in edit.documents])
        for target in targets
    ]
    gone: list[Device] = []
    for target, places in found:
        setting = next((each for _, each in places if each is not None), None)
        if setting is None:
            raise CIMError(Status.FAILED, f"Device `{target.identifier}' not found")
        if setting.entry.kind.is_guest_wide:
            raise CIMError(Status.FAILED, f"Cannot delete resources of type {setting.entry.kind.resource_type}")
        for document, each in places:
            if each is not None and not any(each.device is other for other in gone):
                gone += _remove(edit, document, each)
    _settle_audio(edit, {})


def _remove(edit: Edit, document: DomainDocument, setting: ResourceSetting[Device]) -> list[Device]:
    """Remove one resource from one document; the devices that are gone."""
    device = setting.device
    if document is edit.change.live:
        if edit.scope is Scope.BOTH and not _is_plugged(edit, device):
            return []
        edit.change.steps.append(detach(edit.change.context, document, device))
        document.remove_device(device)
        return [device]
    removed = remove_device(document, device)
    for each in removed:
        if edit.confirmation is not None:
            edit.confirmation.add_removed(setting.entry.identifier, each)
    _count_memory(document, device, -1)
    return removed
