"""What speaks against moving a domain to a host, found out before anything is begun.

What nothing can be said of is left to libvirt, which looks again.

Layer rule: imports libvirt, xml, documents, errors, host, inventory and its siblings.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.documents.domain import Disk, DomainConfig, Graphics, Interface, Video
from virtcim.libhelper.errors import LibvirtError, look_up
from virtcim.libhelper.host import HostFacts
from virtcim.libhelper.inventory.records import Domain
from virtcim.libhelper.migrations.copies import active_pools, copied_disks
from virtcim.libhelper.migrations.order import MigrationKind, MigrationOrder, Place
from virtcim.libhelper.migrations.ties import missing_devices, ties
from virtcim.libhelper.xml.text import parse_xml, to_text

if TYPE_CHECKING:
    from lxml import etree

__all__ = ["Finding", "findings"]

_KIB = 1024


@immutable
class Finding:
    """Something that speaks against a migration.

    Attributes:
        check: the name of the check, for programs.
        text: for people.
    """

    check: str
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.text}"


@immutable
class _Case:
    """A migration to be looked at.

    Attributes:
        domain: the record.
        config: as it is to be over there.
        xml: the same, as text that libvirt can read.
        here: what the source says of itself.
        place: the target.
        order: how.
        target: the connection to it.
    """

    domain: Domain
    config: DomainConfig
    xml: str
    here: HostFacts
    place: Place
    order: MigrationOrder
    target: libvirt.virConnect


def findings(domain: Domain, here: HostFacts, place: Place, order: MigrationOrder) -> list[Finding]:
    """Find what speaks against a migration.

    Parameters:
        domain: the domain as the inventory has it.
        here: what its hypervisor said of itself.
        place: where it is to go.
        order: how.
    """
    found = [Finding(check, text) for check, text in (*_contradictions(domain, order), *_of_domain(domain, order))]
    xml = order.live_xml or order.defined_xml or domain.xml
    config = DomainConfig.parse(xml) if xml else DomainConfig()
    try:
        with place.connections.connection() as target:
            case = _Case(domain, config, xml, here, place, order, target)
            for check, look in _CHECKS:
                found.extend(Finding(check, text) for text in _texts(look, case))
    except LibvirtError as error:
        found.append(Finding("reach", f"{place.name} cannot be reached: {error.message}"))
    return found


def _texts(look: Callable[[_Case], Iterator[str]], case: _Case) -> list[str]:
    """What a check says; what it could not find out speaks against nothing, unless the target is gone."""
    said: list[str] = []
    try:
        said.extend(look(case))
    except libvirt.libvirtError as error:
        if not case.target.isAlive():
            raise LibvirtError.of(error) from error
    return said


def _contradictions(domain: Domain, order: MigrationOrder) -> Iterator[tuple[str, str]]:
    """What libvirt does not do together."""
    if order.tunnelled and (order.copy_storage or order.tls or order.parallel):
        yield "order", "what is tunnelled can neither copy disks, nor be encrypted anew, nor use several connections"
    if order.tunnelled and (order.data_uri or order.disks_uri):
        yield "order", "what is tunnelled goes to no address of its own"
    if order.moves_definition_only and order.copy_storage:
        yield "order", "the disks of a guest that does not run are not copied"
    if order.moves_definition_only and order.persistent is False:
        yield "order", "a guest that does not run has to be persistent over there"
    devices = domain.config.devices if domain.config is not None else ()
    targets = {each.target_dev for each in devices if isinstance(each, Disk)}
    for name in order.disks:
        if name not in targets:
            yield "order", f"the guest has no disk {name} that could be copied"
    if order.postcopy and order.kind is not MigrationKind.LIVE:
        yield "order", "memory can follow later only where the guest keeps running"
    if order.postcopy and order.parallel:
        yield "order", "memory that follows later goes through one connection"
    if order.kind is MigrationKind.RESTART and not domain.persistent:
        yield "order", "a guest that is not persistent is gone once it has shut down"


def _of_domain(domain: Domain, order: MigrationOrder) -> Iterator[tuple[str, str]]:
    """What ties a domain to its host."""
    if domain.has_snapshots:
        yield "snapshots", "the guest has snapshots, which libvirt does not move"
    if domain.has_managed_save and order.moves_definition_only:
        yield "saved", "the guest's memory is saved on this host, and would stay behind"
    config = domain.config
    if config is None:
        yield "xml", "the guest's XML cannot be read"
    elif not order.moves_definition_only:
        for text in ties(config):
            yield "hostdev", text


def _hostdev(case: _Case) -> Iterator[str]:
    """Whether a guest that is to be started over there finds there what it has of its host."""
    if case.order.moves_definition_only:
        yield from missing_devices(case.config, case.target)


def _same_host(case: _Case) -> Iterator[str]:
    own = case.here.host_uuid
    there = case.place.host_uuid or _host_uuid(case.target)
    if own and there and own == there:
        yield f"{case.place.name} is the host that the guest is on (host UUID {own})"


def _host_uuid(target: libvirt.virConnect) -> str | None:
    return parse_xml(target.getCapabilities()).findtext("host/uuid")


def _version(case: _Case) -> Iterator[str]:
    own, number = case.here.hypervisor_version, case.target.getVersion()
    there = (number // 1_000_000, number // 1_000 % 1_000, number % 1_000)
    if number and there < own:
        yield f"the hypervisor there is older ({_dotted(there)}) than here ({_dotted(own)})"


def _dotted(version: Sequence[int]) -> str:
    return ".".join(str(part) for part in version)


def _uuid(case: _Case) -> Iterator[str]:
    with contextlib.suppress(libvirt.libvirtError):
        there = case.target.lookupByUUIDString(case.domain.uuid)
        yield f"a guest with UUID {case.domain.uuid} is there already: {there.name()}"


def _name(case: _Case) -> Iterator[str]:
    name = case.order.name or case.domain.name
    with contextlib.suppress(libvirt.libvirtError):
        there = case.target.lookupByName(name)
        if there.UUIDString() != case.domain.uuid:
            yield f"a guest of the name {name} is there already, with UUID {there.UUIDString()}"


def _capabilities(case: _Case) -> etree._Element:
    """What guests of this kind can have over there.

    Raises:
        libvirt.libvirtError: there are no such guests.
    """
    config = case.config
    return parse_xml(
        case.target.getDomainCapabilities(None, config.os_type_arch, config.os_type_machine, config.type, 0)
    )


def _machine(case: _Case) -> Iterator[str]:
    config = case.config
    try:
        _capabilities(case)
    except libvirt.libvirtError as error:
        if LibvirtError.of(error).is_no_call:
            return
        kind = f"type {config.type}, {config.os_type_arch}, machine {config.os_type_machine}"
        yield f"guests of {kind} cannot run there: {LibvirtError.of(error).message}"


def _cpu(case: _Case) -> Iterator[str]:
    element = parse_xml(case.xml).find("cpu")
    if element is None or element.find("model") is None or element.get("mode") not in (None, "custom"):
        return
    config = case.config
    verdict = case.target.compareHypervisorCPU(
        None, config.os_type_arch, config.os_type_machine, config.type, to_text(element), 0
    )
    if verdict == libvirt.VIR_CPU_COMPARE_INCOMPATIBLE:
        yield f"the processor there cannot be the guest's ({element.findtext('model')})"


def _devices(case: _Case) -> Iterator[str]:
    capabilities = _capabilities(case)
    for kind, enum, value, word in _needed_devices(case.config):
        found = capabilities.find(f"devices/{kind}/enum[@name='{enum}']")
        if found is not None and value not in [each.text for each in found.iterfind("value")]:
            yield f"there is no {word} of {enum} {value} there"


def _needed_devices(config: DomainConfig) -> Iterator[tuple[str, str, str, str]]:
    """What the capabilities have to list: element, enumeration, value, and what it is in words."""
    needed: dict[tuple[str, str, str, str], None] = {}
    for device in config.devices:
        if isinstance(device, Disk) and device.target_bus:
            needed["disk", "bus", device.target_bus, "disk"] = None
        elif isinstance(device, Graphics) and device.type:
            needed["graphics", "type", device.type, "console"] = None
        elif isinstance(device, Video) and device.model_type:
            needed["video", "modelType", device.model_type, "video device"] = None
    yield from needed


def _network(case: _Case) -> Iterator[str]:
    for name in dict.fromkeys(_interface_values(case.config, "source_network")):
        network = look_up(case.target.networkLookupByName, name)
        if network is None:
            yield f"there is no network {name} there"
        elif not network.isActive() and not case.order.moves_definition_only:
            yield f"network {name} is not active there"


def _filter(case: _Case) -> Iterator[str]:
    for name in dict.fromkeys(_interface_values(case.config, "filterref_filter")):
        if look_up(case.target.nwfilterLookupByName, name) is None:
            yield f"there is no network filter {name} there"


def _interface_values(config: DomainConfig, field: str) -> list[str]:
    interfaces = (each for each in config.devices if isinstance(each, Interface))
    return [value for value in (getattr(each, field) for each in interfaces) if value]


def _pool(case: _Case) -> Iterator[str]:
    for disk in _disks(case.config):
        if not disk.source_pool or not disk.source_volume:
            continue
        pool = look_up(case.target.storagePoolLookupByName, disk.source_pool)
        if pool is not None and not pool.isActive():
            yield f"disk {disk.target_dev}: pool {disk.source_pool} is not active there"
        elif pool is None or look_up(pool.storageVolLookupByName, disk.source_volume) is None:
            yield f"disk {disk.target_dev}: volume {disk.source_volume} of pool {disk.source_pool} is not there"


def _room(case: _Case) -> Iterator[str]:
    """Whether the disks that are to be copied have somewhere to go."""
    places = active_pools(case.target) if case.order.copy_storage else {}
    for disk in copied_disks(case.config, case.order):
        path = disk.source_file or ""
        size = case.domain.capacities.get(disk.target_dev or "", 0)
        pool = places.get(posixpath.dirname(posixpath.normpath(path)))
        if pool is None:
            yield f"disk {disk.target_dev}: no active pool there has the directory of {path}"
            continue
        pool.refresh(0)
        try:
            volume = pool.storageVolLookupByName(posixpath.basename(path))
        except libvirt.libvirtError:
            available = pool.info()[3]
            if size > available:
                yield f"disk {disk.target_dev}: {size} bytes do not fit into pool {pool.name()}, {available} bytes left"
        else:
            capacity = volume.info()[1]
            if size and capacity != size:
                yield f"disk {disk.target_dev}: {path} is there with {capacity} bytes; expected {size}"


def _disks(config: DomainConfig) -> list[Disk]:
    return [each for each in config.devices if isinstance(each, Disk)]


def _memory(case: _Case) -> Iterator[str]:
    if case.order.kind is MigrationKind.OFFLINE:
        return
    needed = case.config.current_memory or case.config.memory or 0
    statistics = case.target.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
    free = sum(int(statistics.get(name, 0)) for name in ("free", "buffers", "cached"))
    if free and needed > free:
        yield f"the guest's memory, {needed // _KIB} MiB, is more than is free there, {free // _KIB} MiB"


_CHECKS: tuple[tuple[str, Callable[[_Case], Iterator[str]]], ...] = (
    ("same-host", _same_host),
    ("version", _version),
    ("uuid", _uuid),
    ("name", _name),
    ("machine", _machine),
    ("cpu", _cpu),
    ("devices", _devices),
    ("hostdev", _hostdev),
    ("network", _network),
    ("filter", _filter),
    ("pool", _pool),
    ("room", _room),
    ("memory", _memory),
)
"""The checks of a target, by their names."""
