"""DefineSystem: from what a client describes to the XML of a new guest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import (
    Device,
    DomainDocument,
    Interface,
    MappingError,
)
from virtcim.platforms.newguest import NewGuest, SystemChoice, UnavailableError
from virtcim.providers.drafts import Draft, DraftContext, ValueRefusedError
from virtcim.providers.interface import CIMError, EmbeddedInstance, Properties
from virtcim.providers.requested import without_own_metadata
from virtcim.providers.Virt_VirtualSystemManagementService.choices import (
    without_choices_of_device,
    without_choices_of_system,
)
from virtcim.providers.Virt_VirtualSystemManagementService.confirmation import Confirmation
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import refused
from virtcim.providers.Virt_VirtualSystemManagementService.reference import Reference
from virtcim.providers.Virt_VirtualSystemManagementService.resources import (
    ResourceRequest,
    add_device,
    check_host,
    described_before,
    write_draft,
    write_guest_wide,
)
from virtcim.providers.Virt_VirtualSystemManagementService.startable import check_start
from virtcim.providers.Virt_VirtualSystemManagementService.targets import text_of
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData
from virtcim.schema.names import is_of_platform

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.platforms.base import Platform
    from virtcim.providers.site import Site

__all__ = ["Definition", "Request"]

_NOT_SETTINGS = frozenset(
    {"InstanceID", "Caption", "Notes", "ChangeableType", "VirtualSystemIdentifier", "ElementName"}
)

_OWN_FIELDS = (
    "genid",
    "uuid",
    "os_nvram",
    "os_nvram_type",
    "os_nvram_source_file",
    "os_nvram_source_dev",
    "os_nvram_source_protocol",
    "os_nvram_source_name",
    "os_nvram_source_hosts",
)
"""What a guest has alone: who it is, and where its firmware keeps its variables."""


@immutable
class Request:
    """What DefineSystem was called with.

    Attributes:
        system: SystemSettings.
        resources: ResourceSettings; None when they were not given.
        reference: the guest of ReferenceConfiguration; None without one.
    """

    system: EmbeddedInstance | None
    resources: Sequence[EmbeddedInstance | None] | None
    reference: Reference | None


class Definition:
    """A guest that is to be defined.

    Parameters:
        site, platform, hypervisor: where.
        request: what was asked for.
        report: called with each error; raises it, or notes it so that the next one is found, too.

    Attributes:
        document: the domain XML.
        confirmation: what libvirt makes of it is held against.
        name: of the guest.
        autostart: whether it is to be started with the host.
    """

    def __init__(
        self,
        site: Site,
        platform: Platform,
        hypervisor: Hypervisor,
        request: Request,
        report: Callable[[CIMError], None],
    ) -> None:
        self._site = site
        self._platform = platform
        self._hypervisor = hypervisor
        self._report = report
        self._reference = request.reference
        self.autostart = False
        self.name = ""
        text = "<domain/>" if request.reference is None else without_own_metadata(request.reference.xml)
        self.document = DomainDocument(text)
        self.confirmation = Confirmation(self.document)
        self._new_guest = NewGuest(platform, hypervisor.host_capabilities(), self.document)
        self._forget_identity()
        self._write_system(request.system)
        self._write_resources(request.resources)
        self._complete()

    @property
    def _context(self) -> DraftContext:
        return DraftContext(self._site, self._platform, self._hypervisor, self.document.config)

    def _set(self, values: Mapping[str, object]) -> None:
        self.document.set(self.document.config, values)

    def _forget_identity(self) -> None:
        """Take out of a referenced guest what is its own."""
        config = self.document.config
        own = [field for field in _OWN_FIELDS if field in config.as_dict()]
        self._set(dict.fromkeys(own))
        for device in self.document.devices:
            if isinstance(device, Interface) and device.mac_address is not None:
                self.document.set(device, {"mac_address": None})

    def _write_system(self, system: EmbeddedInstance | None) -> None:
        given: Properties = (
            {} if system is None else {name: value for name, value in system.properties.items() if value is not None}
        )
        with _report_refusals(self._report, "SystemSettings Error"):
            self._check_class(system)
        with _report_refusals(self._report, "SystemSettings Error"):
            self.name = _name(given)
            draft = Draft(self._context, self.document.config, {"VirtualSystemIdentifier": self.name}, is_new=True)
            draft.write(VirtualSystemSettingData.table)
            self._set(draft.fields)
        if self._reference is not None:
            given = self._reference.other_values(given)
        else:
            given = without_choices_of_system(self._site, self._platform, given)
        settings = {name: value for name, value in given.items() if name not in _NOT_SETTINGS}
        with _report_refusals(self._report, "SystemSettings Error"):
            if self._reference is None:
                self._new_guest.choose_system(_choice(self._platform, settings))
            draft = Draft(self._context, self.document.config, settings, is_new=True)
            draft.write(VirtualSystemSettingData.table)
            write_draft(self.document, draft)
            self.confirmation.add("", draft, None)
            self.autostart = bool(draft.autostart)
            self._forget_smbios_uuid()
            self._check_uuid()
            self._new_guest.check_machine()
        self._check_name()

    def _forget_smbios_uuid(self) -> None:
        """Leave the UUID in the tables of the firmware to libvirt, which takes none but that of the guest."""
        config = self.document.config
        entries = config.sysinfo_system_entries
        kept = [each.as_dict() for each in entries if each.name != "uuid" or each.value == config.uuid]
        if len(kept) != len(entries):
            self._set({"sysinfo_system_entries": kept})

    def _check_class(self, system: EmbeddedInstance | None) -> None:
        if system is not None and not is_of_platform(system.class_name, self._platform.prefix):
            raise ValueRefusedError(f"{system.class_name} is of another platform")

    def _check_uuid(self) -> None:
        uuid, inventory = self.document.config.uuid, self._hypervisor.inventory
        if uuid is None or inventory.domain_by_uuid(uuid) is None:
            return
        # libvirt may not have told yet that it is gone.
        taken = inventory.refresh(uuid)
        if taken is not None:
            self._report(refused(f"Guest '{taken.name}' is already defined with UUID {uuid}"))

    def _check_name(self) -> None:
        taken = self._hypervisor.inventory.find_anew("domain", self.name)
        if taken is not None:
            self._report(refused(f"Failed to define domain: domain '{self.name}' already exists with uuid {taken.key}"))

    def _write_resources(self, resources: Sequence[EmbeddedInstance | None] | None) -> None:
        if resources is None:
            return
        with _report_refusals(self._report, "ResourceSettings Error"):
            if not resources:
                raise ValueRefusedError("No resources specified")
        requests = []
        for instance in resources:
            with _report_refusals(self._report, "ResourceSettings Error"):
                if instance is None:
                    raise ValueRefusedError("Unable to determine resource type")
                wanted = ResourceRequest(instance, self._platform.prefix, self._context.site.kinds)
                if self._reference is None:
                    wanted.given = without_choices_of_device(self._site, self._platform, wanted.given)
                if self._reference is None or not self._reference.takes(wanted, self.name):
                    requests.append(wanted)
        before = described_before(requests)
        made: dict[ResourceRequest, Device] = {}
        # What the guest has as a whole comes last: its memory is that of its modules, too.
        for wanted in sorted(requests, key=lambda each: each.is_guest_wide):
            with _report_refusals(self._report, "ResourceSettings Error"):
                if wanted.is_guest_wide:
                    draft = write_guest_wide(self.document, self._context, wanted)
                    self.confirmation.add(wanted.kind.name, draft, None)
                else:
                    if wanted not in before and wanted not in before.values():
                        self._check_platform(wanted)  # a terminal is one console, under whichever names it is listed
                    same = made.get(before[wanted]) if wanted in before else None
                    device, draft = add_device(self.document, self._context, wanted, same)
                    self.confirmation.add(device.tag, draft, device)
                    made[wanted] = device

    def _check_platform(self, wanted: ResourceRequest) -> None:
        feature = wanted.kind.feature
        if feature is not None and not self._platform.supports(feature):
            raise ValueRefusedError("Resource type not supported on this platform", wanted.instance.class_name)

    def _complete(self) -> None:
        """Fill in what nothing was said of."""
        self._new_guest.complete(with_devices=self._reference is None)
        with _report_refusals(self._report, "ResourceSettings Error"):
            check_host(self._context)
            check_start(self._context, None if self._reference is None else self._reference.config)


def _choice(platform: Platform, settings: Properties) -> SystemChoice:
    """What the settings say of the kind of the guest."""
    named = settings.get("DomainType") or _other_than(platform.prefix, text_of(settings.get("VirtualSystemType")))
    is_full = settings.get("IsFullVirt")
    return SystemChoice(
        domain_type=str(named),
        is_definite="DomainType" in settings,
        arch=text_of(settings.get("Arch")),
        is_full=is_full if isinstance(is_full, bool) else None,
        has_kernel=bool(settings.get("Kernel")),
    )


def _other_than(prefix: str, kind: str | None) -> str:
    """VirtualSystemType where it says more than the platform."""
    return "" if kind is None or kind.lower() == prefix.lower() else kind


def _name(given: Properties) -> str:
    """The name of the guest: what the client says, else one that nobody has."""
    identifier, element = given.get("VirtualSystemIdentifier"), given.get("ElementName")
    name = identifier if identifier is not None else element
    return str(name) if name is not None else f"guest-{uuid4().hex[:12]}"


@contextmanager
def _report_refusals(report: Callable[[CIMError], None], text: str) -> Iterator[None]:
    """Tell what a block refuses in libvirt-cim's words.

    Parameters:
        report: takes the error.
        text: what it begins with.
    """
    try:
        yield
    except (ValueRefusedError, UnavailableError, MappingError) as error:
        report(refused(f"{text}: {error}"))
