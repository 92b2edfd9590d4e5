"""Making guests of an appliance: its disks converted into a storage pool, its systems defined.

Layer rule: imports its siblings, `libhelper` and `platforms`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from virtcim.images.appliances.contents import Contents, whole_capacity, whole_sectors
from virtcim.images.appliances.description import Appliance, Disk, System
from virtcim.images.appliances.errors import ApplianceError, TakenNameError, UnfitOrderError
from virtcim.images.appliances.images import QCOW2, RAW, check_parents, format_of
from virtcim.images.appliances.machine import Drive, Machine, capacity_of, settle_machine
from virtcim.images.appliances.package import Package
from virtcim.images.appliances.properties import environment_disc, environment_text, settle_properties
from virtcim.images.appliances.scratch import scratch_directory
from virtcim.images.appliances.translation import Bases, Image, Translation, architecture_of, translate
from virtcim.images.appliances.undo import PartOfWork, Steps, undoing
from virtcim.immutable import immutable
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.names import DOMAIN
from virtcim.libhelper.work import Work
from virtcim.platforms.base import Feature, Platform

__all__ = ["Guest", "ImportOrder", "Imported", "Plan", "import_appliance", "plan_import"]

_FILE_POOLS = frozenset({"dir", "fs", "netfs", "vstorage"})
"""The types of pools whose volumes are files, and so can be of another format than raw."""
_ENVIRONMENT = "ovf-env"
_BRIDGE, _NETWORK, _USER = "bridge:", "network:", "user"
_CHECKED, _COPIED = 10, 95
"""Percent that an import has come when the files are compared, and when the disks are there."""


@immutable
class ImportOrder:
    """How an appliance is to be imported.

    Attributes:
        pool: the name of the storage pool that gets its disks.
        name: of the guest; of several, what their names begin with; "" for the names that the appliance has.
        networks: where ports of a network of the appliance go, by its name: the name of a virtual network,
            `bridge:NAME`, or `user`.
        option: the deployment option; "" for the default.
        properties: values by key.
        accepts_licences: whether whoever asks has read the licences and accepts them.
        keeps_addresses: whether ports get the MAC addresses that the appliance has.
        starts: whether the guests are started.
        bases: what they begin with; None for what the platform says.
    """

    pool: str
    name: str = ""
    networks: Mapping[str, str] = field(default_factory=dict)
    option: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    accepts_licences: bool = False
    keeps_addresses: bool = False
    starts: bool = False
    bases: Bases | None = None


@immutable
class Guest:
    """A guest that is to be made.

    Attributes:
        name: that it gets.
        system: of the appliance that it is.
        machine: what that is in the deployment option.
    """

    name: str
    system: System
    machine: Machine


@immutable
class Plan:
    """What an import is going to do.

    Attributes:
        guests: in the order in which they are started.
        networks: fields of an interface by the name of the network.
        properties: the values of all properties.
        warnings: what is left out, in words.
    """

    guests: tuple[Guest, ...]
    networks: Mapping[str, Mapping[str, Any]]
    properties: Mapping[str, str]
    warnings: tuple[str, ...]


@immutable
class Imported:
    """What an import has made.

    Attributes:
        guests: the UUIDs, in the order in which they are started.
        warnings: what is left out, or became something else, in words.
    """

    guests: tuple[str, ...]
    warnings: tuple[str, ...]


def plan_import(package: Package, order: ImportOrder, hypervisor: Hypervisor, *, makes_guests: bool = True) -> Plan:
    """Find out whether an appliance can be imported, without doing anything.

    Parameters:
        makes_guests: whether guests are to be made, whose names have to be free, or templates of them.

    Raises:
        ApplianceError: it cannot; the text says why.
    """
    appliance = package.appliance
    if appliance.all_licences and not order.accepts_licences:
        raise ApplianceError(f"appliance {package.name!r}: has a licence; expected that it is accepted")
    option = order.option or appliance.default_option
    if option and option not in appliance.options:
        known = ", ".join(appliance.options) or "none"
        raise UnfitOrderError(f"deployment option {option!r}: is not known; expected one of {known}")
    properties = settle_properties(appliance, option, order.properties)
    guests = tuple(_guests(package, order, option))
    for guest in guests:
        if objection := DOMAIN.objection(guest.name):
            raise UnfitOrderError(objection)
        if makes_guests and hypervisor.inventory.domain(guest.name) is not None:
            raise TakenNameError(f"guest {guest.name!r}: exists already; expected another name")
    for disk in _used_disks(appliance, guests):
        capacity_of(disk, properties)
        content = appliance.content_of(disk)
        check_parents([format_of(each.format) for each in content])
        for each in content:
            package.parts(appliance.files[each.file])
    pool = hypervisor.inventory.find_by_name("pool", order.pool)
    if pool is None or not pool.active:
        raise ApplianceError(f"storage pool {order.pool!r}: is not there; expected one that is active")
    wanted = {port.network for guest in guests for port in guest.machine.ports}
    warnings = (*package.warnings, *(each for guest in guests for each in guest.machine.warnings))
    return Plan(guests, {name: _network(name, order, hypervisor) for name in wanted}, properties, warnings)


def import_appliance(
    package: Package, order: ImportOrder, hypervisor: Hypervisor, platform: Platform, work: Work, scratch: Path
) -> Imported:
    """Import an appliance; what was made is taken back when a later step fails, or when the work is asked to stop.

    Parameters:
        platform: of the guests.
        work: told how far it is, and asked whether to go on.
        scratch: a directory with room for the largest disk of the appliance, twice.

    Raises:
        ApplianceError: it cannot be imported.
        LibvirtError: libvirt refused.
        WorkCancelledError: the work was asked to stop.
        OSError: there is no room, or the package cannot be read.
    """
    plan = plan_import(package, order, hypervisor)
    package.check_files(PartOfWork(work, 0, _CHECKED))
    with scratch_directory(scratch) as directory, undoing(work) as steps:
        importer = _Importer(package, order, hypervisor, platform, work, directory, steps, plan)
        return importer.run()


class _Importer:
    """Carries out one import."""

    def __init__(
        self,
        package: Package,
        order: ImportOrder,
        hypervisor: Hypervisor,
        platform: Platform,
        work: Work,
        scratch: Path,
        steps: Steps,
        plan: Plan,
    ) -> None:
        self._package, self._order, self._hypervisor, self._platform = package, order, hypervisor, platform
        self._work, self._scratch, self._steps, self._plan = work, scratch, steps, plan
        pool = hypervisor.inventory.find_by_name("pool", order.pool)
        kind = getattr(getattr(pool, "config", None), "type", None)
        self._format = QCOW2 if kind in _FILE_POOLS and platform.supports(Feature.CONTROLLERS) else RAW
        self._warnings: list[str] = list(plan.warnings)
        self._contents = Contents(package, scratch)
        self._drives = [(guest, drive) for guest in plan.guests for drive in guest.machine.drives]
        self._copied = 0

    def run(self) -> Imported:
        """Do it."""
        made = [self._define(guest) for guest in self._plan.guests]
        self._hypervisor.storage.refresh_pool(self._order.pool)
        if self._order.starts:
            for uuid in made:
                self._steps.add(f"guest {uuid}, running", partial(self._stop, uuid))
                self._hypervisor.domains.start(uuid)
        self._work.report(100, 100)
        return Imported(tuple(made), tuple(dict.fromkeys(self._warnings)))

    def _stop(self, uuid: str) -> None:
        record = self._hypervisor.inventory.domain_by_uuid(uuid)
        if record is not None and record.active:
            self._hypervisor.domains.destroy(uuid)

    def _define(self, guest: Guest) -> str:
        images: dict[str, Image] = {}
        for number, drive in enumerate(guest.machine.drives, 1):
            image = self._image(guest, drive, number)
            if image is not None:
                images[drive.id] = image
        machine = guest.machine
        told = self._environment(guest)
        if told is not None:
            machine = replace(machine, drives=(*machine.drives, Drive(_ENVIRONMENT, "cdrom")))
            images[_ENVIRONMENT] = told
        translation = Translation(
            name=guest.name,
            platform=self._platform,
            host=self._hypervisor.host_capabilities(),
            networks=self._plan.networks,
            images=images,
            keeps_addresses=self._order.keeps_addresses,
            annotation=guest.system.annotation,
            arch=architecture_of(guest.system.system.word),
            bases=self._order.bases,
        )
        document, warnings = translate(machine, translation)
        self._warnings += [f"guest {guest.name!r}: {each}" for each in warnings]
        self._work.checkpoint()
        uuid = document.config.uuid or ""
        self._steps.add(f"guest {guest.name!r}", lambda: self._hypervisor.domains.remove(uuid))
        return self._hypervisor.domains.define(document.tostring())

    def _image(self, guest: Guest, drive: Drive, number: int) -> Image | None:
        """Put what is in a drive into the pool; None for an empty drive."""
        appliance = self._package.appliance
        part = self._next_part()
        if drive.disk or drive.capacity:
            disk = appliance.disks[drive.disk] if drive.disk else None
            capacity = whole_sectors(drive.capacity) if disk is None else whole_capacity(disk, self._plan.properties)
            name = f"{guest.name}-{number}.{self._format}"
            if disk is None or not appliance.content_of(disk):
                self._create(name, self._format, capacity, part)
                return self._found(name, self._format)
            source, size = self._contents.convert(disk, capacity, self._format, part)
            return self._store(source, name, self._format, capacity, part, size)
        if drive.file:
            source = self._contents.unpack(appliance.files[drive.file], None, part)
            return self._store(source, f"{guest.name}-{number}.iso", RAW, source.stat().st_size, part)
        return None

    def _store(
        self, source: Path, name: str, kind: str, capacity: int, part: Work, content: int | None = None
    ) -> Image:
        """Put a file into the pool as a volume.

        Parameters:
            capacity: that the volume is to have, in bytes.
            content: bytes of the disk that the file holds; None for as many.
        """
        try:
            self._create(name, kind, capacity, part)
            with source.open("rb") as data:
                self._hypervisor.storage.upload(self._order.pool, name, data, 0, source.stat().st_size, part)
        finally:
            source.unlink(missing_ok=True)
        if content is not None and content < capacity and kind == QCOW2:
            self._hypervisor.storage.refresh_pool(self._order.pool)
            self._hypervisor.storage.resize_volume(self._order.pool, name, capacity, allocate=False, shrink=False)
        return self._found(name, kind)

    def _create(self, name: str, kind: str, capacity: int, part: Work) -> None:
        compat = "<compat>1.1</compat>" if kind == QCOW2 else ""
        xml = (
            f"<volume><name>{escape(name)}</name><capacity>{capacity}</capacity><allocation>0</allocation>"
            f"<target><format type='{kind}'/>{compat}</target></volume>"
        )
        storage, pool = self._hypervisor.storage, self._order.pool
        is_ours = False

        def delete() -> None:
            # A volume of this name that was there before, or that somebody else has made meanwhile, is not ours.
            if is_ours:
                storage.delete_volume(pool, name)

        self._steps.add(f"storage volume {name!r}", delete)
        storage.create_volume(pool, xml, name, part)
        is_ours = True

    def _found(self, name: str, kind: str) -> Image:
        with self._hypervisor.storage.volume(self._order.pool, name) as volume:
            path, number = volume.path(), volume.info()[0]
        types = {0: "file", 1: "block"}
        return Image(types.get(number, "volume"), path, kind, self._order.pool, name)

    def _environment(self, guest: Guest) -> Image | None:
        """Make the disc with what a guest is told; None where there is nothing to be told."""
        appliance = self._package.appliance
        if not any(product.properties for product in appliance.products_of(guest.system)):
            return None
        text = environment_text(appliance, guest.system, self._plan.properties)
        source = self._scratch / "environment"
        source.write_bytes(environment_disc(text))
        name = f"{guest.name}-{_ENVIRONMENT}.iso"
        return self._store(source, name, RAW, source.stat().st_size, PartOfWork(self._work, _COPIED, _COPIED))

    def _next_part(self) -> Work:
        length = _COPIED - _CHECKED
        count = max(1, len(self._drives))
        begin = _CHECKED + length * self._copied // count
        self._copied += 1
        return PartOfWork(self._work, begin, _CHECKED + length * self._copied // count)


def _guests(package: Package, order: ImportOrder, option: str) -> Iterator[Guest]:
    systems = package.appliance.systems
    for system in systems:
        own = system.name or system.id
        # One system of a package is often called like all others of its maker.
        name = (order.name if len(systems) == 1 else f"{order.name}-{own}") if order.name else own
        yield Guest(name, system, settle_machine(system, option))


def _used_disks(appliance: Appliance, guests: tuple[Guest, ...]) -> Iterator[Disk]:
    for guest in guests:
        for drive in guest.machine.drives:
            if drive.disk:
                yield appliance.disks[drive.disk]


def _network(name: str, order: ImportOrder, hypervisor: Hypervisor) -> dict[str, Any]:
    """The fields of an interface that goes where the ports of a network are to go.

    Raises:
        ApplianceError: nobody said where, or there is no such network.
    """
    target = order.networks.get(name, name)
    if target == _USER:
        return {"type": "user"}
    if target.startswith(_BRIDGE) and target != _BRIDGE:
        return {"type": "bridge", "source_bridge": target.removeprefix(_BRIDGE)}
    target = target.removeprefix(_NETWORK)
    if hypervisor.inventory.find_by_name("network", target) is None:
        known = sorted(each.name for each in hypervisor.inventory.networks())
        raise UnfitOrderError(
            f"network {name!r}: goes to {target!r}, which is not there; expected one of {', '.join(known) or 'none'}, "
            "bridge:NAME or user"
        )
    return {"type": "network", "source_network": target}
