"""Importing appliances into templates: what the store of images keeps of them is described as of a guest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.exporting import Content, Exported, ExportOrder, check_order, export_system
from virtcim.images.appliances.importing import ImportOrder
from virtcim.images.appliances.package import Package
from virtcim.images.appliances.storing import StoredDisk, StoredSystem, store_appliance
from virtcim.images.appliances.translation import drive_address
from virtcim.images.appliances.undo import PartOfWork
from virtcim.images.library import Library
from virtcim.images.store import QEMU_WORDS, ImageError
from virtcim.images.templates import (
    ExtraDisk,
    ImageSource,
    Template,
    TemplateError,
    document_of,
    parse_template,
)
from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Disk, DomainConfig
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory.records import Document, Domain
from virtcim.libhelper.states import DomainState, ShutoffReason
from virtcim.libhelper.work import Work
from virtcim.platforms.base import Platform
from virtcim.providers.base import class_of
from virtcim.providers.guest import Configuration, ConfigurationKind, Guest
from virtcim.providers.interface import CIMError, CIMValue, EmbeddedInstance, Parameters, RequestContext, Status
from virtcim.providers.site import Site
from virtcim.providers.templates import SYSTEM_DISK, TEMPLATE_PREFIX, TemplateSetting, resources_of_template
from virtcim.providers.Virt_ImageStore.described import described_template, own_disks
from virtcim.providers.Virt_VirtualSystemManagementService.definition import Definition, Request
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import raise_error
from virtcim.providers.Virt_VirtualSystemManagementService.provisioning import SHOWN_ONLY, free_disk_name

__all__ = ["TemplateOrder", "export_template", "import_templates"]

_GROUP = "appliances"
_FETCHED = 30
"""Percent that an export has come when the image is here."""
_UNSAFE = re.compile(r"[^a-z0-9._-]+")


@immutable
class TemplateOrder:
    """Which templates are to be made of an appliance.

    Attributes:
        id: of the template; of several, what their ids begin with.
        group, customize: of them.
        library: that they come into.
        owner: who asks for them.
        order: how the appliance is imported.
    """

    id: str
    group: str
    customize: str
    library: Library
    owner: str
    order: ImportOrder

    @classmethod
    def of(cls, parameters: Parameters, order: ImportOrder, site: Site, context: RequestContext) -> Self | None:
        """Read the parameters of ImportAppliance; None where no template is wanted.

        Raises:
            CIMError: INVALID_PARAMETER, they cannot be.
        """
        id_ = str(parameters.get("TemplateID") or "")
        if not id_:
            return None
        if order.starts or order.name:
            text = "TemplateID: a template has no name of a system, and is not started; expected neither"
            raise CIMError(Status.INVALID_PARAMETER, text)
        group = str(parameters.get("TemplateGroup") or _GROUP)
        customize = str(parameters.get("Customization") or "none")
        try:
            parse_template(document_of(Template(id=id_, group=group, customize=customize)))
        except TemplateError as error:
            raise CIMError(Status.INVALID_PARAMETER, f"TemplateID: {error}") from None
        if site.library is None:
            raise CIMError(Status.FAILED, "TemplateID: there is no store of images here")
        return cls(id_, group, customize, site.library, context.principal, order)


def import_templates(
    package: Package,
    wanted: TemplateOrder,
    site: Site,
    platform: Platform,
    hypervisor: Hypervisor,
    work: Work,
    scratch: Path,
) -> tuple[list[str], tuple[str, ...]]:
    """Make templates of an appliance; what was made is taken back when a later step fails.

    Returns:
        the InstanceIDs of the templates, and what is left out, in words.

    Raises:
        ApplianceError, ImageError, TemplateError: it cannot be taken.
        WorkCancelledError, OSError: see `store_appliance`.
    """
    made: list[Template] = []

    def keep(systems: Sequence[StoredSystem]) -> None:
        found = [_template(each, wanted, len(systems), site, platform, hypervisor) for each in systems]
        try:
            for template in found:
                wanted.library.templates.add(template, wanted.owner)
                made.append(template)
        except BaseException:
            for template in made:
                wanted.library.templates.remove(template.key)
            raise

    warnings = store_appliance(package, wanted.order, hypervisor, platform, wanted.library.images, work, scratch, keep)
    return [f"{TEMPLATE_PREFIX}{each.key}" for each in made], warnings


def export_template(setting: TemplateSetting, order: ExportOrder, work: Work, scratch: Path) -> Exported:
    """Make an appliance of a template, as of a guest that was made of it.

    Parameters:
        setting: of the template, on the node whose guest it would be.
        order: what is written.
        work, scratch: see `export_guest`.

    Raises:
        ApplianceError: it cannot be made.
        CIMError: no guest could be made of it there.
        LibvirtError, WorkCancelledError, OSError: see `export_guest`.
    """
    check_order(order)
    template = setting.template
    try:
        disks = list(_disks_of(setting, PartOfWork(work, 0, _FETCHED)))
    except ImageError as error:
        raise ApplianceError(f"template {template.key}: {error}") from error
    config = _config_of(setting, disks)
    made = export_system(config, order, _TemplateDisks(disks), PartOfWork(work, _FETCHED, 100), scratch)
    left_out = ("parameters", "user_data", "provisioner")
    warnings = [f"{name} of the template are left out" for name in left_out if getattr(template, name)]
    return replace(made, warnings=(*made.warnings, *warnings))


@immutable
class _TemplateDisk:
    """A disk of guests of a template.

    Attributes:
        path: what stands for it in the domain.
        bus: that it is at; "" for that of new disks.
        format: QEMU's word for that of its image.
        content: what it holds.
    """

    path: str
    bus: str
    format: str
    content: Content


def _disks_of(setting: TemplateSetting, work: Work) -> Iterator[_TemplateDisk]:
    """The disks of guests of a template, that of the system first; their images are fetched.

    Raises:
        ImageError: one is not to be had.
    """
    template, library = setting.template, setting.site.library
    assert library is not None, "templates come from a library"
    source = template.image
    if source is not None:
        if source.volume:
            text = f"its image is the volume {source.volume!r} of a pool"
            raise ImageError(f"{text}; expected one of the store, or an export of a guest that was made of it")
        path = library.images.path(library.images.fetch(source, work))
        format_ = QEMU_WORDS.get(source.format, source.format)
        yield _TemplateDisk("/system", str(template.disk.get("BusType", "")), format_, Content(path, template.size))
    for number, extra in enumerate(template.disks, start=1):
        content = Content(None, extra.size)
        if extra.sha256:
            image = library.images.fetch(ImageSource(sha256=extra.sha256, format=extra.format), work)
            content = replace(content, path=library.images.path(image))
        yield _TemplateDisk(f"/further-{number}", extra.bus, extra.format, content)


def _config_of(setting: TemplateSetting, disks: Iterable[_TemplateDisk]) -> DomainConfig:
    """The domain that a guest of a template would be."""
    template, platform = setting.template, setting.platform
    settings = {name: value for name, value in setting.properties().items() if name not in SHOWN_ONLY}
    resources = [each.described for each in resources_of_template(setting) if each.part != SYSTEM_DISK]
    settings_class = class_of(platform.prefix, "VirtualSystemSettingData")
    system = EmbeddedInstance(settings_class, {**settings, "VirtualSystemIdentifier": template.id})
    hypervisor = setting.site.hypervisors(platform)[0]
    request = Request(system, resources or None, None)
    document = Definition(setting.site, platform, hypervisor, request, raise_error).document
    # Without libvirt, which would find out that the disks are no volumes of the host, and would give them their places.
    places, names = Counter[str](), list[CIMValue]()
    for disk in disks:
        bus = disk.bus or platform.buses.disk
        names.append(free_disk_name(bus, names))
        values: dict[str, Any] = {
            "device": "disk",
            "type": "file",
            "source_file": disk.path,
            "driver_type": disk.format,
        }
        values |= {"target_bus": bus, "target_dev": names[-1]}
        address = _address(bus, places[bus])
        document.add_device(Disk, values if address is None else {**values, "address": address})
        places[bus] += 1
    return DomainConfig.parse(document.tostring())


def _address(bus: str, number: int) -> dict[str, str] | None:
    """The address of a disk among those of its bus, as libvirt gives them; None where a bus has no such places."""
    if bus not in ("ide", "sata", "scsi"):
        return None
    place, unit = divmod(number, 2) if bus == "ide" else (0, number)
    return drive_address(bus, place, unit)


class _TemplateDisks:
    """See `exporting.Disks`.

    Parameters:
        disks: of the template.
    """

    def __init__(self, disks: Iterable[_TemplateDisk]) -> None:
        self._contents = {each.path: each.content for each in disks}

    def find(self, disk: Disk, scratch: Path, part: Work) -> Content:
        """See `exporting.Disks`."""
        return self._contents[disk.source_file or ""]


def _template(
    system: StoredSystem, wanted: TemplateOrder, count: int, site: Site, platform: Platform, hypervisor: Hypervisor
) -> Template:
    """Describe a system as a template."""
    id_ = wanted.id if count == 1 else f"{wanted.id}-{_UNSAFE.sub('-', system.name.lower()).strip('-.')}"
    config = DomainConfig.parse(system.xml)
    guest = _imagined(system, config, site, platform, hypervisor)
    found = [(each, system.disks[each.source_file or ""]) for each in own_disks(config)]
    first = next(((device, disk) for device, disk in found if disk.image is not None), None)
    made = replace(
        described_template(Configuration(guest, config, ConfigurationKind.DEFINED)),
        id=id_,
        version=wanted.library.templates.next_version(id_),
        title=system.name,
        description=system.annotation,
        group=wanted.group,
        pool=wanted.order.pool,
        disk={},
        disks=tuple(_further(device, disk) for device, disk in found if first is None or device is not first[0]),
        customize=wanted.customize,
    )
    if first is None:
        return made
    device, disk = first
    assert disk.image is not None, "that is why it is the first one"
    return replace(
        made,
        image=ImageSource(sha256=disk.image.sha256, format=disk.image.format, size=disk.image.size),
        size=disk.capacity,
        disk={"BusType": device.target_bus} if device.target_bus else {},
    )


def _further(device: Disk, disk: StoredDisk) -> ExtraDisk:
    """Describe a disk that is not that of the system."""
    sha256 = "" if disk.image is None else disk.image.sha256
    return ExtraDisk(disk.capacity, sha256=sha256, bus=device.target_bus or "")


def _imagined(
    system: StoredSystem, config: DomainConfig, site: Site, platform: Platform, hypervisor: Hypervisor
) -> Guest:
    """Imagine the guest that a system would be: off, and known to nobody."""
    record = Domain(
        uri=hypervisor.uri,
        name=system.name,
        uuid=config.uuid or "",
        active=False,
        persistent=True,
        autostart=False,
        contact=True,
        revision=0,
        live_document=None,
        defined_document=Document(system.xml, DomainConfig.parse),
        id=None,
        state=DomainState.SHUTOFF,
        reason=ShutoffReason.UNKNOWN,
        has_managed_save=False,
        has_snapshots=False,
        state_changed=None,
    )
    return Guest(site, platform, hypervisor, record)
