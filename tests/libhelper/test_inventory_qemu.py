"""The inventory on a private libvirtd with QEMU and LXC: events, what has none, and everything that can break."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.bed import Libvirtd, baseline_xml, wait_until
from tests.conftest import Guests
from virtcim.libhelper.documents.domain import Disk
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.host import read_capabilities
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory import disks
from virtcim.libhelper.inventory import inventory as inventory_module
from virtcim.libhelper.inventory.inventory import Inventory
from virtcim.libhelper.inventory.kinds import KINDS
from virtcim.libhelper.inventory.records import Change, Domain, Host
from virtcim.libhelper.inventory.watch import xml_directories
from virtcim.libhelper.states import DomainState

PATIENCE = 60.0


@pytest.fixture
def watched(libvirtd: Libvirtd) -> dict[Path, str]:
    """The directories of the private daemon's XML files."""
    return xml_directories("qemu", libvirtd.directory / "etc", libvirtd.directory / "run/libvirt")


def domain(inventory: Inventory, name: str) -> Domain:
    """The domain, which must be there."""
    found = inventory.domain(name)
    assert found is not None
    return found


def state_is(name: str, state: DomainState) -> Callable[[Inventory], bool]:
    """A predicate for `wait_for`."""
    return lambda inventory: inventory.domain(name) is not None and domain(inventory, name).state is state


def has_vcpus(name: str, number: str, inventory: Inventory) -> bool:
    """Whether the domain is defined with so many processors."""
    return f">{number}</vcpu>" in (domain(inventory, name).xml or "")


def is_saved(name: str, saved: bool, inventory: Inventory) -> bool:
    """Whether what is known of a saved state of the domain is so."""
    return domain(inventory, name).has_managed_save is saved


def test_what_virsh_does_is_seen(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    hypervisor = started(libvirtd.uri(), interval=3600.0)
    inventory = hypervisor.inventory
    assert hypervisor.host_uuid == libvirtd.host_uuid
    name = guests.baseline("seen")
    assert inventory.wait_for(state_is(name, DomainState.SHUTOFF), PATIENCE)
    assert domain(inventory, name).live is None
    for command, state in (
        ("start", DomainState.RUNNING),
        ("suspend", DomainState.PAUSED),
        ("resume", DomainState.RUNNING),
        ("managedsave", DomainState.SHUTOFF),
        ("start", DomainState.RUNNING),
        ("destroy", DomainState.SHUTOFF),
    ):
        before = domain(inventory, name)
        libvirtd.virsh(command, name)
        assert inventory.wait_for(state_is(name, state), PATIENCE), command
        after = domain(inventory, name)
        assert after.state_changed is not None
        assert before.state_changed is None or after.state_changed > before.state_changed
        assert inventory.wait_for(partial(is_saved, name, command == "managedsave"), PATIENCE), command
        assert (after.live is not None) is after.active
        assert after.defined is not None
    libvirtd.virsh("undefine", name)
    assert inventory.wait_for(lambda now: now.domain(name) is None, PATIENCE)


def test_device_and_metadata_events(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    name = guests.boot_sector("devices")
    inventory = started(libvirtd.uri(), interval=3600.0).inventory
    libvirtd.virsh("start", name)
    connection = libvirtd.connect()
    interface = "<interface type='user'><model type='virtio'/></interface>"
    connection.lookupByName(name).attachDeviceFlags(interface, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    connection.close()
    assert inventory.wait_for(lambda now: "<interface type='user'>" in domain(now, name).xml, PATIENCE)
    assert "<interface" not in _defined_xml(inventory, name)
    libvirtd.virsh("desc", name, "--config", "--live", "a new description")
    assert inventory.wait_for(lambda now: "a new description" in domain(now, name).xml, PATIENCE)


def _defined_xml(inventory: Inventory, name: str) -> str:
    document = domain(inventory, name).defined_document
    return document.text if document else ""


def test_changes_without_an_event_show_by_a_comparison(
    guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]
) -> None:
    name = guests.baseline("quiet")
    inventory = started(libvirtd.uri(), interval=1.0).inventory
    libvirtd.virsh("setvcpus", name, "3", "--config", "--maximum")
    libvirtd.virsh("autostart", name)

    def seen(now: Inventory) -> bool:
        config = domain(now, name).defined
        return domain(now, name).autostart and config is not None and config.vcpu == 3

    assert inventory.wait_for(seen, PATIENCE)


def test_files_tell_sooner(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    name = guests.baseline("file")
    directories = xml_directories("qemu", libvirtd.directory / "etc", libvirtd.directory / "run/libvirt")
    inventory = started(libvirtd.uri(), interval=3600.0, watch_directories=directories).inventory
    for value in ("2", "3"):
        libvirtd.virsh("setvcpus", name, value, "--config", "--maximum")
        assert inventory.wait_for(partial(has_vcpus, name, value), PATIENCE)
    libvirtd.virsh("autostart", name)
    assert inventory.wait_for(lambda now: domain(now, name).autostart, PATIENCE)
    libvirtd.virsh("autostart", "--disable", name)
    assert inventory.wait_for(lambda now: not domain(now, name).autostart, PATIENCE)


def test_an_event_hides_nothing_that_a_file_tells(
    guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]
) -> None:
    """After an event only that is read which it can have changed: the rest still is what its file tells of."""
    name = guests.boot_sector("both")
    libvirtd.virsh("start", name)
    directories = {libvirtd.xml_directory: "domain", libvirtd.xml_directory / "autostart": "domain"}
    inventory = started(libvirtd.uri(), interval=3600.0, watch_interval=5.0, watch_directories=directories).inventory
    libvirtd.virsh("autostart", name)
    time.sleep(0.2)  # longer than the time of a file may be behind the clock
    libvirtd.virsh("suspend", name)
    assert inventory.wait_for(state_is(name, DomainState.PAUSED), PATIENCE)
    # Once a minute everything is listed, whatever the files tell.
    assert inventory.wait_for(lambda now: domain(now, name).autostart, PATIENCE / 2)


def test_networks_pools_and_filters(libvirtd: Libvirtd, started: Callable[..., Hypervisor], tmp_path: Path) -> None:
    inventory = started(libvirtd.uri(), interval=3600.0).inventory
    pool = tmp_path / "pool"
    pool.mkdir()
    (pool / "one.raw").write_bytes(bytes(512))
    libvirtd.virsh("pool-create-as", "scratch", "dir", "--target", str(pool))
    try:
        assert inventory.wait_for(lambda now: bool(now.pools()) and bool(now.pools()[0].volumes), PATIENCE)
        record = inventory.pools()[0]
        assert (record.name, record.active, record.persistent) == ("scratch", True, False)
        assert [volume.name for volume in record.volumes or ()] == ["one.raw"]
        (pool / "two.raw").write_bytes(bytes(512))
        libvirtd.virsh("pool-refresh", "scratch")
        assert inventory.wait_for(lambda now: len(now.pools()[0].volumes or ()) == 2, PATIENCE)
    finally:
        libvirtd.virsh("pool-destroy", "scratch")
    assert inventory.wait_for(lambda now: now.pools() == [], PATIENCE)
    definition = tmp_path / "network.xml"
    definition.write_text("<network><name>lonely</name></network>")
    libvirtd.virsh("net-define", str(definition))
    assert inventory.wait_for(lambda now: now.find_by_name("network", "lonely") is not None, PATIENCE)
    assert not inventory.networks()[0].active
    libvirtd.virsh("net-undefine", "lonely")
    assert inventory.wait_for(lambda now: now.networks() == [], PATIENCE)
    assert inventory.wait_for(lambda now: now.find_by_name("nodedev", "computer") is not None, PATIENCE)
    assert inventory.wait_for(lambda now: now.find_by_name("nwfilter", "clean-traffic") is not None, PATIENCE)


def test_a_burst_of_a_thousand_events(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    names = [guests.baseline(f"burst{number}") for number in range(5)]
    inventory = started(libvirtd.uri(), interval=3600.0).inventory
    changes: list[Change] = []
    inventory.listeners.append(changes.append)
    connection = libvirtd.connect()
    domains = [connection.lookupByName(name) for name in names]
    for number in range(200):
        for each in domains:
            each.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, f"number {number}", None, None, 0)
    connection.close()
    assert inventory.wait_for(lambda now: all("number 199<" in domain(now, name).xml for name in names), PATIENCE)
    assert 0 < sum(len(change.events) for change in changes) <= 1000
    for name in names:
        after = [change.after for change in changes if isinstance(change.after, Domain)]
        seen = [record.revision for record in after if record.name == name]
        assert seen == sorted(seen)


def test_a_stuck_guest_stalls_nobody(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    stuck, other = guests.boot_sector("stuck"), guests.baseline("other")
    libvirtd.virsh("start", stuck)
    inventory = started(libvirtd.uri(), interval=4.0, call_budget=1.0).inventory
    emulator = int((libvirtd.directory / f"run/libvirt/qemu/{stuck}.pid").read_text())
    os.kill(emulator, signal.SIGSTOP)
    asking = libvirtd.connect()
    waiting = threading.Thread(target=lambda: asking.lookupByName(stuck).memoryStats(), daemon=True)
    waiting.start()
    try:
        time.sleep(0.5)
        libvirtd.virsh("start", other)
        assert inventory.wait_for(state_is(other, DomainState.RUNNING), PATIENCE)
        libvirtd.virsh("destroy", other)
        assert inventory.wait_for(state_is(other, DomainState.SHUTOFF), PATIENCE)
        libvirtd.virsh("autostart", other)
        assert inventory.wait_for(lambda now: domain(now, other).autostart, PATIENCE)
        assert domain(inventory, stuck).active
        with closing(libvirtd.connect()) as connection:
            assert disks.disk_capacities(connection, domain(inventory, stuck).uuid, True, ["vda"]) is None
        late = started(libvirtd.uri()).inventory
        assert domain(late, stuck).config is not None
    finally:
        os.kill(emulator, signal.SIGCONT)
        waiting.join(PATIENCE)
        asking.close()


def test_a_guest_that_has_gone_is_not_measured(guests: Guests, libvirtd: Libvirtd) -> None:
    """It may go before it is looked up, and after."""

    class Late:
        """A connection whose guest goes when it has been looked up."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def lookupByUUIDString(self, uuid: str) -> Any:
            found = self._connection.lookupByUUIDString(uuid)
            libvirtd.virsh("undefine", uuid)
            return found

    uuid = libvirtd.virsh("domuuid", guests.baseline("passing")).strip()
    with closing(libvirtd.connect()) as connection:
        late: Any = Late(connection)
        assert disks.disk_capacities(late, uuid, True, ["vda"]) is None
        assert disks.disk_capacities(connection, uuid, True, ["vda"]) is None


def test_reads_see_whole_records_while_everything_changes(
    guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]
) -> None:
    inventory = started(libvirtd.uri()).inventory
    connection = libvirtd.connect()
    for number in range(60):
        made = connection.defineXML(baseline_xml(f"passing{number}"))
        for record in inventory.domains():
            assert record.config is not None
            assert record.config.name == record.name
        if number % 2:
            made.undefine()
    connection.close()
    expected = {f"passing{number}" for number in range(0, 60, 2)}
    assert inventory.wait_for(lambda now: {record.name for record in now.domains()} == expected, PATIENCE)


def test_libvirtd_goes_and_comes_back(new_libvirtd: Callable[[], Libvirtd], started: Callable[..., Hypervisor]) -> None:
    daemon = new_libvirtd()
    for number in range(60):
        daemon.define(baseline_xml(f"guest{number}"))
    hypervisor = started(daemon.uri())
    inventory = hypervisor.inventory
    changes: list[Change] = []
    inventory.listeners.append(changes.append)
    before = domain(inventory, "guest1")
    config = before.config
    for end in (daemon.kill, daemon.stop):
        end()
        assert inventory.wait_for(lambda _now: not hypervisor.connected, PATIENCE)
        assert len(inventory.domains()) == 60
        assert not any(record.contact for record in inventory.domains())
        lost = domain(inventory, "guest1")
        assert lost.revision > before.revision
        assert inventory.refresh(lost.uuid) is lost
        with pytest.raises(LibvirtError):
            hypervisor.domains.start("guest1")
        (daemon.xml_directory / "guest0.xml").unlink(missing_ok=True)
        daemon.start()
        assert inventory.wait_for(lambda _now: hypervisor.connected, PATIENCE)
        assert len(inventory.domains()) == 59
        assert all(record.contact for record in inventory.domains())
        assert domain(inventory, "guest1").config is config
        assert domain(inventory, "guest1").state_changed is None
        daemon.define(baseline_xml("guest0"))
        assert inventory.wait_for(lambda now: now.domain("guest0") is not None, PATIENCE)
    contact = [
        change.after.contact
        for change in changes
        if isinstance(change.after, Host)
        and (change.before is None or getattr(change.before, "contact", None) != change.after.contact)
    ]
    assert contact == [False, True] * 2


def test_libvirtd_absent_at_start(new_libvirtd: Callable[[], Libvirtd], started: Callable[..., Hypervisor]) -> None:
    daemon = new_libvirtd()
    daemon.define(baseline_xml("patient"))
    daemon.stop()
    hypervisor = started(daemon.uri())
    assert not hypervisor.connected
    assert hypervisor.inventory.domains() == []
    daemon.start()
    assert hypervisor.inventory.wait_for(lambda now: now.domain("patient") is not None, PATIENCE)


def test_a_frozen_libvirtd_is_noticed(new_libvirtd: Callable[[], Libvirtd], started: Callable[..., Hypervisor]) -> None:
    daemon = new_libvirtd()
    daemon.define(baseline_xml("frozen"))
    hypervisor = started(daemon.uri(), keepalive_interval=1, keepalive_count=2)
    assert daemon.pid is not None
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        assert hypervisor.inventory.wait_for(lambda _now: not hypervisor.connected, PATIENCE)
        assert not domain(hypervisor.inventory, "frozen").contact
        assert [each.name for each in hypervisor.inventory.domains()] == ["frozen"]
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    assert hypervisor.inventory.wait_for(lambda _now: hypervisor.connected, PATIENCE)
    assert domain(hypervisor.inventory, "frozen").contact


def test_stop_while_libvirtd_is_frozen(
    new_libvirtd: Callable[[], Libvirtd], started: Callable[..., Hypervisor]
) -> None:
    daemon = new_libvirtd()
    # The daemon is not found out to be frozen meanwhile.
    hypervisor = started(daemon.uri(), keepalive_interval=600)
    assert daemon.pid is not None
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        hypervisor.stop()
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


def test_nothing_leaks(libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    def clients() -> int:
        return len(os.listdir(f"/proc/{libvirtd.pid}/fd"))

    started(libvirtd.uri()).stop()
    before, served = descriptors(), clients()
    for _ in range(5):
        hypervisor = started(libvirtd.uri())
        assert hypervisor.connected
        with pytest.raises(LibvirtError):
            hypervisor.domains.start("nobody")
        hypervisor.stop()
    wait_until(lambda: descriptors() <= before, PATIENCE)
    wait_until(lambda: clients() <= served, PATIENCE)


def power_button(hypervisor: Hypervisor, name: str) -> bool:
    """Press it, which a guest that still boots does not notice; whether the guest is off soon."""
    hypervisor.domains.shutdown(name)
    return hypervisor.inventory.wait_for(state_is(name, DomainState.SHUTOFF), 1.0)


def test_operations_and_what_they_wait_for(
    guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]
) -> None:
    name = guests.boot_sector("operated")
    hypervisor = started(libvirtd.uri(), interval=3600.0)
    domains, inventory = hypervisor.domains, hypervisor.inventory
    domains.start(name, paused=True)
    assert inventory.wait_for(state_is(name, DomainState.PAUSED), PATIENCE)
    domains.resume(name)
    assert inventory.wait_for(state_is(name, DomainState.RUNNING), PATIENCE)
    with pytest.raises(LibvirtError) as caught:
        domains.start(name)
    assert caught.value.is_invalid_state
    with domains.event_wait(name, "reboot") as rebooted:
        domains.reset(name)
        assert rebooted.wait(PATIENCE)
    domains.managed_save(name)
    assert inventory.wait_for(lambda now: domain(now, name).has_managed_save, PATIENCE)
    domains.start(name)
    assert inventory.wait_for(lambda now: domain(now, name).active and not domain(now, name).has_managed_save, PATIENCE)
    domains.destroy(name)
    assert inventory.wait_for(state_is(name, DomainState.SHUTOFF), PATIENCE)
    domains.start(name)
    wait_until(lambda: power_button(hypervisor, name), PATIENCE)
    with pytest.raises(LibvirtError) as caught:
        domains.destroy(name)
    assert caught.value.is_invalid_state


def test_read_only(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    name = guests.baseline("looked-at")
    uri = f"{libvirtd.uri()}-ro"
    hypervisor = started(uri, read_only=True)
    assert hypervisor.connected
    assert domain(hypervisor.inventory, name).config is not None
    with pytest.raises(LibvirtError, match="read only"):
        hypervisor.domains.start(name)


def test_passwords_are_not_kept(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    libvirtd.define(baseline_xml("secretive").replace("autoport='yes'", "autoport='yes' passwd='s3cret'"))
    record = domain(started(libvirtd.uri()).inventory, "secretive")
    assert "s3cret" not in record.xml
    assert record.config is not None
    graphics = [device for device in record.config.devices if device.tag == "graphics"]
    assert graphics[0].passwd_set  # type: ignore[attr-defined]


@pytest.mark.lxc
def test_container(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    name = guests.container("box")
    hypervisor = started(libvirtd.uri("lxc"))
    assert hypervisor.driver == "LXC"
    hypervisor.domains.start(name)
    assert hypervisor.inventory.wait_for(state_is(name, DomainState.RUNNING), PATIENCE)
    time.sleep(0.5)
    hypervisor.domains.shutdown(name)
    assert hypervisor.inventory.wait_for(state_is(name, DomainState.SHUTOFF), PATIENCE)


def test_a_disk_that_is_read_otherwise_is_measured_anew(
    guests: Guests, libvirtd: Libvirtd, watched: dict[Path, str], started: Callable[..., Hypervisor]
) -> None:
    """Its image is what it was."""
    name = guests.baseline("otherwise")
    image = Path(libvirtd.virsh("domblklist", name).split()[-1])
    inventory = started(libvirtd.uri(), interval=3600.0, watch_directories=watched).inventory
    assert inventory.wait_for(lambda now: domain(now, name).capacities == {"vda": 1 << 20}, PATIENCE)
    libvirtd.define(libvirtd.virsh("dumpxml", name).replace("type='qcow2'", "type='raw'"))
    size = image.stat().st_size
    assert inventory.wait_for(lambda now: domain(now, name).capacities == {"vda": size}, PATIENCE)


def test_disks_are_measured(guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]) -> None:
    name = guests.boot_sector("measured")
    told = dict(row.split(":") for row in libvirtd.virsh("domblkinfo", name, "vda").splitlines() if row)
    sizes = {"vda": int(told["Capacity"])}
    assert sizes["vda"] > 0
    inventory = started(libvirtd.uri(), interval=3600.0).inventory
    assert inventory.wait_for(lambda now: domain(now, name).capacities == sizes, PATIENCE)
    libvirtd.virsh("start", name)
    assert inventory.wait_for(state_is(name, DomainState.RUNNING), PATIENCE)
    libvirtd.virsh("destroy", name)
    libvirtd.virsh("detach-disk", name, "vda", "--config")
    inventory.refresh(domain(inventory, name).uuid)
    assert inventory.wait_for(lambda now: domain(now, name).capacities == {}, PATIENCE)


def test_of_a_disk_that_goes_no_other_size_is_told(
    guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is measured by what was known, when it has gone and nobody has said so yet."""
    name = guests.boot_sector("going")
    libvirtd.virsh("attach-disk", name, str(libvirtd.new_image()), "vdb", "--subdriver", "qcow2", "--config")
    uuid = libvirtd.virsh("domuuid", name).strip()
    sizes: Mapping[str, int | None] = {}
    for active in (False, True):
        if active:
            libvirtd.virsh("start", name)
        with closing(libvirtd.connect()) as connection:
            sizes = disks.disk_capacities(connection, uuid, active, ["vda", "vdb", "vdc"]) or {}
        assert sizes.keys() == {"vda", "vdb"}
    inventory = started(libvirtd.uri(), interval=3600.0).inventory
    assert inventory.wait_for(lambda now: domain(now, name).capacities == sizes, PATIENCE)
    others = {"vda": (sizes["vda"] or 0) + 512}
    monkeypatch.setattr(inventory_module, "disk_capacities", lambda *_given: others)
    inventory.measure_disks([uuid])
    wanted = {**others, "vdb": sizes["vdb"]}
    assert inventory.wait_for(lambda now: domain(now, name).capacities == wanted, PATIENCE)


def test_another_image_has_no_size_until_it_is_measured(
    guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another one is as large as says nothing of it."""
    name = guests.boot_sector("exchanged")
    inventory = started(libvirtd.uri(), interval=3600.0).inventory
    assert inventory.wait_for(lambda now: "vda" in domain(now, name).capacities, PATIENCE)
    known = domain(inventory, name)
    monkeypatch.setattr(inventory, "measure_disks", lambda *_given: None)
    libvirtd.virsh("start", name)
    assert inventory.wait_for(state_is(name, DomainState.RUNNING), PATIENCE)
    libvirtd.virsh("destroy", name)
    assert inventory.wait_for(state_is(name, DomainState.SHUTOFF), PATIENCE)
    assert domain(inventory, name).capacities == known.capacities
    config = known.config
    assert config is not None
    (image,) = (disk.source_file for disk in config.devices if isinstance(disk, Disk))
    libvirtd.define(libvirtd.virsh("dumpxml", name).replace(str(image), str(libvirtd.new_image())))
    inventory.refresh(known.uuid)
    assert inventory.wait_for(lambda now: domain(now, name).defined_document is not known.defined_document, PATIENCE)
    assert domain(inventory, name).capacities == {}


@pytest.mark.parametrize("has_files", [False, True])
def test_disks_that_are_resized_are_measured_again(
    guests: Guests, libvirtd: Libvirtd, watched: dict[Path, str], started: Callable[..., Hypervisor], has_files: bool
) -> None:
    name = guests.boot_sector("resized")
    directories = watched if has_files else {}
    settings = {"interval": 3600.0, "volume_interval": 2.0, "watch_directories": directories}
    inventory = started(libvirtd.uri(), **settings).inventory
    assert inventory.wait_for(lambda now: "vda" in domain(now, name).capacities, PATIENCE)
    size = domain(inventory, name).capacities["vda"]
    config = domain(inventory, name).config
    assert config is not None
    disk = next(device for device in config.devices if isinstance(device, Disk))
    assert disk.driver_type is not None
    assert disk.source_file is not None
    command = ["qemu-img", "resize", "-q", "-f", disk.driver_type, disk.source_file, str(size + (1 << 20))]
    subprocess.run(command, check=True)
    assert inventory.wait_for(lambda now: domain(now, name).capacities["vda"] == size + (1 << 20), PATIENCE)
    libvirtd.virsh("start", name)
    libvirtd.virsh("blockresize", name, "vda", f"{size + (2 << 20)}B")
    assert inventory.wait_for(lambda now: domain(now, name).capacities["vda"] == size + (2 << 20), PATIENCE)


def test_disks_whose_images_are_as_they_were_are_not_measured_again(
    guests: Guests,
    libvirtd: Libvirtd,
    watched: dict[Path, str],
    started: Callable[..., Hypervisor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []
    measured: list[str] = []
    fetch, measure = Inventory._fetch_capacities, disks.disk_capacities

    def look(inventory: Inventory, connection: libvirt.virConnect, uuid: str, generation: int) -> None:
        fetch(inventory, connection, uuid, generation)
        looked.append(uuid)

    def take(connection: libvirt.virConnect, uuid: str, *given: Any) -> Any:
        measured.append(uuid)
        return measure(connection, uuid, *given)

    monkeypatch.setattr(Inventory, "_fetch_capacities", look)
    monkeypatch.setattr(inventory_module, "disk_capacities", take)
    name = guests.boot_sector("unmeasured")
    inventory = started(libvirtd.uri(), interval=3600.0, watch_directories=watched).inventory
    assert inventory.wait_for(lambda now: "vda" in domain(now, name).capacities, PATIENCE)
    uuid = domain(inventory, name).uuid
    wait_until(lambda: uuid in looked, PATIENCE)
    looked.clear()
    measured.clear()
    inventory.measure_disks([uuid])
    wait_until(lambda: uuid in looked, PATIENCE)
    assert uuid not in measured
    assert domain(inventory, name).capacities.keys() == {"vda"}


def test_disks_are_not_looked_at_when_something_else_changes(
    guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most changes are none of the disks, and to look at these means to read all of the XML."""
    name = guests.boot_sector("described")
    inventory = started(libvirtd.uri(), interval=3600.0).inventory
    uuid = domain(inventory, name).uuid
    asked: list[str] = []
    monkeypatch.setattr(inventory, "measure_disks", lambda domains, _delay: asked.extend(domains))
    libvirtd.virsh("desc", name, "--config", "another")
    inventory.refresh(uuid)
    libvirtd.virsh("detach-disk", name, "vda", "--config")
    inventory.refresh(uuid)
    wait_until(lambda: asked, PATIENCE)
    assert asked == [uuid]


def test_who_a_host_is_is_told_as_soon_as_it_is_known(
    libvirtd: Libvirtd, started: Callable[..., Hypervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its UUID stands in its capabilities, which can take longer than all that it has."""
    gate = threading.Event()

    def read_late(*given: Any, **named: Any) -> Any:
        assert gate.wait(PATIENCE)
        return read_capabilities(*given, **named)

    monkeypatch.setattr("virtcim.libhelper.hypervisor.read_capabilities", read_late)
    hypervisor = started(libvirtd.uri())
    wait_until(lambda: len(hypervisor.inventory.host.loaded) == len(KINDS), PATIENCE)
    told: list[str | None] = []
    hypervisor.inventory.listeners.append(lambda change: told.append(hypervisor.host_uuid))
    assert hypervisor.host_uuid is None
    gate.set()
    wait_until(lambda: libvirtd.host_uuid in told, PATIENCE)


def test_a_disk_that_cannot_be_measured_has_no_size(
    guests: Guests, libvirtd: Libvirtd, started: Callable[..., Hypervisor]
) -> None:
    libvirtd.define(baseline_xml("lost", "/nowhere/at/all.qcow2"))
    name = guests.boot_sector("present")
    inventory = started(libvirtd.uri(), interval=3600.0).inventory
    assert inventory.wait_for(lambda now: "vda" in domain(now, name).capacities, PATIENCE)
    assert domain(inventory, "lost").capacities == {}


def test_what_neither_events_nor_files_tell_of_a_stopped_guest(
    guests: Guests, libvirtd: Libvirtd, watched: dict[Path, str], started: Callable[..., Hypervisor]
) -> None:
    name = guests.boot_sector("silent")
    inventory = started(libvirtd.uri(), interval=2.0, volume_interval=2.0, watch_directories=watched).inventory
    libvirtd.virsh("start", name)
    libvirtd.virsh("managedsave", name)
    assert inventory.wait_for(partial(is_saved, name, True), PATIENCE)
    libvirtd.virsh("managedsave-remove", name)
    assert inventory.wait_for(partial(is_saved, name, False), PATIENCE)
    libvirtd.virsh("snapshot-create-as", name, "one", "--diskspec", "vda,snapshot=external", "--disk-only")
    assert inventory.wait_for(lambda now: domain(now, name).has_snapshots, PATIENCE)
    libvirtd.virsh("snapshot-delete", name, "one", "--metadata")
    assert inventory.wait_for(lambda now: not domain(now, name).has_snapshots, PATIENCE)


def test_what_libvirt_keeps_in_memory_of_a_running_guest(
    guests: Guests, libvirtd: Libvirtd, watched: dict[Path, str], started: Callable[..., Hypervisor]
) -> None:
    name = guests.boot_sector("tuned")
    inventory = started(libvirtd.uri(), interval=2.0, watch_directories=watched).inventory
    libvirtd.virsh("start", name)
    assert inventory.wait_for(state_is(name, DomainState.RUNNING), PATIENCE)
    libvirtd.virsh("vcpupin", name, "0", "0", "--live")
    assert inventory.wait_for(lambda now: "<vcpupin vcpu='0' cpuset='0'/>" in domain(now, name).xml, PATIENCE)


def test_files_of_networks_pools_and_filters(
    libvirtd: Libvirtd, watched: dict[Path, str], started: Callable[..., Hypervisor], tmp_path: Path
) -> None:
    network, pool, rules = (tmp_path / each for each in ("network.xml", "pool.xml", "filter.xml"))
    network.write_text("<network><name>files</name><bridge name='vcfiles'/></network>")
    pool.write_text(f"<pool type='dir'><name>files</name><target><path>{tmp_path}</path></target></pool>")
    rules.write_text("<filter name='files' chain='root'><rule action='drop' direction='in'/></filter>")
    libvirtd.virsh("net-define", str(network))
    libvirtd.virsh("pool-define", str(pool))
    libvirtd.virsh("nwfilter-define", str(rules))
    inventory = started(libvirtd.uri(), interval=3600.0, watch_directories=watched).inventory
    try:
        assert inventory.wait_for(
            lambda now: all(now.find_by_name(kind, "files") for kind in ("network", "pool", "nwfilter")), PATIENCE
        )
        libvirtd.virsh("net-autostart", "files")
        libvirtd.virsh("pool-autostart", "files")
        uuid = inventory.find_by_name("nwfilter", "files")
        assert uuid is not None
        rules.write_text(
            f"<filter name='files' chain='root'><uuid>{uuid.uuid}</uuid><rule action='accept' direction='in'/></filter>"
        )
        libvirtd.virsh("nwfilter-define", str(rules))

        def seen(now: Inventory) -> bool:
            found = [now.find_by_name(kind, "files") for kind in ("network", "pool", "nwfilter")]
            return all(found[:2]) and found[0].autostart and found[1].autostart and "accept" in found[2].xml  # type: ignore[union-attr]

        assert inventory.wait_for(seen, PATIENCE)
    finally:
        libvirtd.virsh("net-undefine", "files")
        libvirtd.virsh("pool-undefine", "files")
        libvirtd.virsh("nwfilter-undefine", "files")


def test_a_stopped_guest_with_a_file_is_left_alone(
    guests: Guests,
    libvirtd: Libvirtd,
    watched: dict[Path, str],
    started: Callable[..., Hypervisor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is watched was read when it was found, what is not is compared in every round."""
    name = guests.baseline("left-alone")
    read: list[str] = []
    describe = libvirt.virDomain.XMLDesc

    def counted(self: libvirt.virDomain, flags: int = 0) -> str:
        read.append(self.name())
        return str(describe(self, flags))

    def rounds(settings: dict[str, Any]) -> int:
        hypervisor = started(libvirtd.uri(), interval=1.0, **settings)
        reference = time.monotonic()
        monkeypatch.setattr(libvirt.virDomain, "XMLDesc", counted)
        read.clear()
        wait_until(lambda: time.monotonic() - reference > 6, PATIENCE)
        monkeypatch.undo()
        hypervisor.stop()
        return read.count(name)

    assert rounds({"watch_directories": {}}) > 2
    assert rounds({"watch_directories": watched}) == 0
