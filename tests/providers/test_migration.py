"""Guests moved between two real daemons, as clients see it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pywbem

from tests.bed import wait_until, why_unavailable
from tests.bed.guests import boot_sector_xml, disk_image
from tests.conftest import missing
from tests.providers.migrationbed import (
    COMPLETED,
    EXCEPTION,
    HERE,
    LIVE,
    LONG,
    OFFLINE,
    RESTART,
    RESUME,
    RUNNING,
    TERMINATED,
    THERE,
    TwoHosts,
)
from virtcim.schema.classes import ClassStore

pytestmark = [pytest.mark.root, pytest.mark.qemu]

OK, RELOCATING = 2, 19
START, SUSPEND, TERMINATE = (pywbem.Uint16(number) for number in (2, 3, 4))
SUSPENDED, SHUTTING_DOWN = 5, 6
NO_TIME = 3

CHECK = """\
#!/bin/sh
printf '%s|%s|' "$1" "$2" > "$(dirname "$0")/../asked"
cat "$3" >> "$(dirname "$0")/../asked"
test "$1" != unwanted || { echo "not   this one"; exit 3; }
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, classes: ClassStore) -> Iterator[TwoHosts]:
    if (reason := why_unavailable()) is not None:
        missing(reason)
    made = TwoHosts(tmp_path_factory.mktemp("m"), classes)
    program = made.checks / "10-name"
    program.write_text(CHECK)
    program.chmod(0o755)
    yield made
    made.close()
    assert made.server.invalid == []


@pytest.fixture
def hosts(both: TwoHosts) -> TwoHosts:
    """Both hosts without a guest."""
    both.clear()
    return both


def wait_for_data(hosts: TwoHosts, job: pywbem.CIMInstanceName) -> None:
    """Wait until a migration sends the memory of the guest."""

    def flows() -> bool:
        shown = hosts.shown(job)
        assert shown["JobState"] != EXCEPTION, shown["ErrorDescription"]
        return bool(shown["DataProcessed"])

    wait_until(flows, LONG)


def set_bandwidth(hosts: TwoHosts, job: pywbem.CIMInstanceName, limit: int) -> None:
    """Have a migration send so many MiB/s at most."""
    changed = pywbem.CIMInstance(job.classname, {"BandwidthLimit": pywbem.Uint32(limit)}, path=job)
    hosts.connection.ModifyInstance(changed, PropertyList=["BandwidthLimit"])


def test_a_guest_moves_while_it_runs(hosts: TwoHosts) -> None:
    """Its job tells how far it is; it is shown once, at its old place, until it is at its new one.

    Each place is asked before and after the other one: a guest that has come was gone before, and one that has gone has
    come since.
    """
    uuid = hosts.define("mover", slow=True)
    hosts.daemons[HERE].virsh("autostart", "mover")
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=1)
    assert job.classname == "KVM_MigrationJob"
    percents: list[int] = []

    def look() -> Any:
        """Read the job and what both places show."""
        shown = hosts.shown(job)
        before, here, after = hosts.names(THERE), hosts.names(HERE), hosts.names(THERE)
        percents.append(shown["PercentComplete"])
        if before:
            assert here == {}
        if not here:
            assert list(after) == ["mover"]
        elif shown["DataProcessed"]:
            assert here == {"mover": [RELOCATING]}
        return shown

    wait_until(lambda: 0 < look()["PercentComplete"] < 100, LONG)
    set_bandwidth(hosts, job, 3000)
    wait_until(lambda: look()["JobState"] == COMPLETED, LONG)
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert (hosts.names(HERE), hosts.names(THERE)) == ({}, {"mover": [OK]})
    assert hosts.states() == [{}, {"mover": "running"}]
    assert hosts.daemons[THERE].virsh("domuuid", "mover").strip() == uuid
    assert "enable" in hosts.daemons[THERE].virsh("dominfo", "mover").split("Autostart:")[1].split("\n")[0]
    shown = hosts.shown(job)
    assert shown["VirtualSystemName"] == "mover"
    assert shown["GuestPlace"] == shown["DestinationHost"]
    assert shown["DataTotal"] >= 24 << 20
    assert shown["Downtime"] > 0


def test_a_guest_moves_in_every_way(hosts: TwoHosts) -> None:
    """To and fro, so that each move begins where the last one ended."""
    image = hosts.shared / "boot.qcow2"
    disk_image(image)
    hosts.daemons[HERE].define(boot_sector_xml("wanderer", image, console_log=hosts.directory / "console"))
    wait_until(lambda: hosts.names(HERE))
    place, other = HERE, THERE
    for kind, state, options in (
        (OFFLINE, "shut off", {}),
        (RESUME, "running", {}),
        (LIVE, "running", {"PeerToPeer": True}),
        (LIVE, "running", {"Tunnelled": True}),
        (RESTART, "running", {}),
    ):
        if kind == RESUME:
            hosts.start("wanderer", place)
        job = hosts.migrate("wanderer", place, MigrationType=kind, **options)
        shown = hosts.end_of(job)
        assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None), (kind, options)
        place, other = other, place
        assert hosts.daemons[place].list_all() == {"wanderer": state}
        assert hosts.daemons[other].list_all() == {}
        assert (list(hosts.names(place)), hosts.names(other)) == (["wanderer"], {})


def test_a_migration_that_fails_leaves_no_socket(hosts: TwoHosts) -> None:
    hosts.define("mover", slow=True)
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=1)
    wait_for_data(hosts, job)
    assert [each.name.rpartition(".")[2] for each in hosts.sockets.iterdir()] == ["memory"]
    hosts.daemons[HERE].virsh("destroy", "mover")
    assert hosts.end_of(job)["JobState"] == EXCEPTION
    assert list(hosts.sockets.iterdir()) == []


def test_a_guest_moves_to_a_system(hosts: TwoHosts) -> None:
    hosts.define("visitor")
    code, out = hosts.call(
        "MigrateVirtualSystemToSystem",
        "visitor",
        DestinationSystem=hosts.host(THERE),
        MigrationSettingData=hosts.setting(MigrationType=OFFLINE),
    )
    assert code == 4096
    shown = hosts.end_of(out["Job"])
    assert shown["JobState"] == COMPLETED
    new = pywbem.CIMInstanceName.from_wbem_uri(shown["JobOutParameters"]["NewComputerSystem"])
    assert (new.namespace, new["Name"]) == (THERE, "visitor")
    assert hosts.connection.GetInstance(new)["Name"] == "visitor"


def test_a_guest_moves_to_no_system_that_is_no_host(hosts: TwoHosts) -> None:
    """Not to a guest that is called like a host either."""
    hosts.define("visitor")
    host = hosts.host(THERE)
    guest = pywbem.CIMInstanceName("KVM_ComputerSystem", host.keybindings, namespace=THERE)
    named = {**host.keybindings, "CreationClassName": "KVM_ComputerSystem"}
    pool = pywbem.CIMInstanceName("KVM_MemoryPool", {"InstanceID": "MemoryPool/0", "Name": host["Name"]})
    offline = hosts.setting(MigrationType=OFFLINE)
    for wrong in (guest, pywbem.CIMInstanceName("CIM_ComputerSystem", named, namespace=THERE), pool):
        for method in ("MigrateVirtualSystemToSystem", "CheckVirtualSystemIsMigratableToSystem", "ValidateMigration"):
            with pytest.raises(pywbem.CIMError) as raised:
                hosts.call(method, "visitor", DestinationSystem=wrong, MigrationSettingData=offline)
            assert raised.value.status_description == "Invalid REF in DestinationSystem"
    for name in ("CIM_System", "CIM_ComputerSystem", "Virt_HostSystem"):
        right = pywbem.CIMInstanceName(name, host.keybindings, namespace=THERE)
        code, out = hosts.call("ValidateMigration", "visitor", DestinationSystem=right, MigrationSettingData=offline)
        assert (code, out["Reasons"]) == (0, [])


def test_a_guest_is_different_at_its_new_place(hosts: TwoHosts) -> None:
    """It has another name and description there, and its disk is another file."""
    image = hosts.shared / "old.qcow2"
    disk_image(image)
    shutil.copyfile(image, hosts.shared / "new.qcow2")
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    hosts.define("before", devices=disk)
    code, out = hosts.call(
        "MigrateVirtualSystemToHost",
        "before",
        DestinationHost=hosts.daemons[THERE].uri(),
        MigrationSettingData=hosts.setting(MigrationType=OFFLINE),
        NewSystemSettingData=pywbem.CIMInstance(
            "KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": "after", "Title": "it has moved"}
        ),
        NewResourceSettingData=[
            pywbem.CIMInstance(
                "KVM_DiskResourceAllocationSettingData",
                {"InstanceID": "before/vda", "Address": str(hosts.shared / "new.qcow2")},
            )
        ],
    )
    assert code == 4096
    shown = hosts.end_of(out["Job"])
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert hosts.states() == [{}, {"after": "shut off"}]
    xml = hosts.daemons[THERE].virsh("dumpxml", "after")
    assert f"{hosts.shared}/new.qcow2" in xml
    assert "it has moved" in xml
    no_disk = pywbem.CIMInstance("KVM_DiskResourceAllocationSettingData", {"InstanceID": "after/vdz"})
    assert "after/vdz is no resource of after" in refusal(hosts, NewResourceSettingData=[no_disk])
    no_name = pywbem.CIMInstance("KVM_VirtualSystemSettingData", {"ElementName": "be/fore"})
    assert refusal(hosts, NewSystemSettingData=no_name).startswith(
        "ElementName: 'be/fore' cannot be the name of a guest"
    )
    no_name["ElementName"] = ".."
    assert refusal(hosts, NewSystemSettingData=no_name).startswith("ElementName: '..' cannot be the name of a guest")


def refusal(hosts: TwoHosts, **given: Any) -> str:
    """What is said against moving the definition of `after` back."""
    back = {
        "DestinationHost": hosts.daemons[HERE].uri(),
        "MigrationSettingData": hosts.setting(MigrationType=OFFLINE),
    }
    with pytest.raises(pywbem.CIMError) as raised:
        hosts.call("ValidateMigration", "after", THERE, **back, **given)
    return str(raised.value.status_description)


def test_disks_are_copied_where_the_hosts_have_none_in_common(hosts: TwoHosts) -> None:
    images = "/var/lib/libvirt/images"
    for daemon in hosts.daemons.values():
        daemon.virsh("pool-create-as", "copied", "dir", "--target", images)
    try:
        image = hosts.daemons[HERE].new_image().name
        disk = (
            f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{images}/{image}'/>"
            "<target dev='vda' bus='virtio'/></disk>"
        )
        hosts.define("carrier", devices=disk)
        hosts.start("carrier")
        assert any(each.startswith("storage: disk vda: ") for each in hosts.reasons("carrier"))
        assert hosts.reasons("carrier", CopyStorage=True) == []
        shown = hosts.end_of(hosts.migrate("carrier", CopyStorage=True))
        assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
        assert hosts.states() == [{}, {"carrier": "running"}]
        hosts.daemons[THERE].virsh("destroy", "carrier")
        copies = [str(daemon.images / image) for daemon in hosts.daemons.values()]
        subprocess.run(["qemu-img", "compare", *copies], check=True, capture_output=True)
    finally:
        for daemon in hosts.daemons.values():
            daemon.virsh("pool-destroy", "copied")


def checks_of(reasons: list[str]) -> set[str]:
    """The names of the checks that speak against a migration."""
    return {each.partition(":")[0] for each in reasons}


WANTING = """\
<disk type='file' device='disk'><source file='/nowhere/alone.img'/><target dev='vda' bus='virtio'/></disk>
<disk type='volume' device='disk'><source pool='nowhere' volume='v'/><target dev='vdb' bus='virtio'/></disk>
<interface type='network'><source network='nowhere'/><filterref filter='nothing'/></interface>
"""


def test_everything_that_speaks_against_a_migration_is_told(hosts: TwoHosts) -> None:
    hosts.define("wanting", devices=WANTING)
    hosts.define("wanting", THERE)
    found = hosts.reasons("wanting")
    assert checks_of(found) == {"state", "name", "network", "filter", "pool", "storage"}
    assert "network: there is no network nowhere there" in found
    assert "state: Domain must be running for live or resume migration" in found
    assert checks_of(hosts.reasons("wanting", MigrationType=OFFLINE)) == {"name", "network", "filter", "pool"}
    assert {"order"} <= checks_of(hosts.reasons("wanting", MigrationType=OFFLINE, CopyStorage=True))
    assert {"order"} <= checks_of(hosts.reasons("wanting", Tunnelled=True, ParallelConnections=2))
    assert {"room"} <= checks_of(hosts.reasons("wanting", CopyStorage=True))
    code, out = hosts.call("CheckVirtualSystemIsMigratableToSystem", "wanting", DestinationSystem=hosts.host(HERE))
    assert (code, set(out)) == (0, {"IsMigratable"})
    code, out = hosts.call("ValidateMigration", "wanting", DestinationSystem=hosts.host(HERE))
    assert (code, out["Verdict"]) == (0, 3)
    assert {"same-host", "uuid"} <= checks_of(out["Reasons"])


TIED = {
    "a device of this host (usb) is passed through to the guest": (
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>"
    ),
    "a device of this host (pci) is passed through to the guest": (
        "<hostdev mode='subsystem' type='pci'><source><address domain='0xffff' bus='0xff' slot='0x1f' function='0x7'/>"
        "</source></hostdev>"
    ),
    "a network device of this host (hostdev) is passed through to the guest": (
        "<interface type='hostdev'><source><address type='pci' domain='0xffff' bus='0xff' slot='0x1f' function='0x6'/>"
        "</source></interface>"
    ),
    "a network device of this host (vdpa) is passed through to the guest": (
        "<interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>"
    ),
    "disk vdn: an NVMe drive of this host is passed through to the guest": (
        "<disk type='nvme' device='disk'><driver name='qemu' type='raw'/><source type='pci' managed='no' namespace='1'>"
        "<address domain='0xffff' bus='0xff' slot='0x1f' function='0x5'/></source>"
        "<target dev='vdn' bus='virtio'/></disk>"
    ),
    "the TPM of this host is passed through to the guest": (
        "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>"
    ),
    "the character device /dev/ttyS9 of this host is passed through to the guest": (
        "<serial type='dev'><source path='/dev/ttyS9'/></serial>"
    ),
    "the input device /dev/input/event9 of this host is passed through to the guest": (
        "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event9'/></input>"
    ),
    "directory /srv of this host is shared with the guest": (
        "<filesystem type='mount'><source dir='/srv'/><target dir='files'/></filesystem>"
    ),
    "memory of this host (lent) is shared with the guest, and is not its own": (
        "<shmem name='lent' role='peer'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>"
    ),
}
"""What a guest cannot take with it, by what is said of it."""


def test_what_ties_a_guest_to_its_host_speaks_against_it(hosts: TwoHosts) -> None:
    """A guest that is started anew over there has to find it there."""
    standby = (
        "<interface type='user'><model type='virtio'/><alias name='ua-standby'/><teaming type='persistent'/>"
        "</interface>"
    )
    replaced = (
        "<hostdev mode='subsystem' type='pci'><source><address domain='0xffff' bus='0xff' slot='0x1f' function='0x4'/>"
        "</source><teaming type='transient' persistent='ua-standby'/></hostdev>"
    )
    hosts.define("tied", devices="<controller type='usb'/>" + "".join(TIED.values()) + standby + replaced)
    found = [each for each in hosts.reasons("tied") if each.startswith("hostdev: ")]
    assert sorted(found) == sorted(f"hostdev: {each}" for each in TIED)
    code, out = hosts.call(
        "CheckVirtualSystemIsMigratableToHost",
        "tied",
        DestinationHost=hosts.daemons[THERE].uri(),
        MigrationSettingData=hosts.setting(),
    )
    assert code == 0
    # pywbem reads every boolean output parameter as true.
    assert "IsMigratable" in out
    for kind in (OFFLINE, RESTART):
        found = hosts.reasons("tied", MigrationType=kind)
        assert "hostdev: there is no USB device 0x1234:0xbeef there" in found
        assert "hostdev: there is no PCI device ffff_ff_1f_7 there" in found


def test_a_disk_that_is_not_shared_speaks_against_starting_anew_elsewhere(hosts: TwoHosts) -> None:
    hosts.define("rooted", devices=disk_of("/nowhere/alone.img", "vda"))
    assert checks_of(hosts.reasons("rooted", MigrationType=RESTART)) == {"state", "storage"}
    assert hosts.reasons("rooted", MigrationType=OFFLINE) == []


def test_a_processor_that_the_other_host_lacks_speaks_against_it(hosts: TwoHosts) -> None:
    hosts.define("clever", cpu="<cpu match='exact'><model fallback='forbid'>Skylake-Server</model></cpu>")
    assert hosts.reasons("clever", MigrationType=OFFLINE) == [
        "cpu: the processor there cannot be the guest's (Skylake-Server)"
    ]


def test_what_the_other_host_has_not_speaks_against_it(hosts: TwoHosts) -> None:
    """A machine of this kind, and as much memory, as the guest is to have them there."""
    hosts.define("greedy")
    hosts.start("greedy")

    def reasons(system: dict[str, Any], *resources: tuple[str, dict[str, Any]]) -> list[str]:
        code, out = hosts.call(
            "ValidateMigration",
            "greedy",
            DestinationHost=hosts.daemons[THERE].uri(),
            MigrationSettingData=hosts.setting(MigrationType=RESTART),
            NewSystemSettingData=pywbem.CIMInstance("KVM_VirtualSystemSettingData", system),
            NewResourceSettingData=[
                pywbem.CIMInstance(f"KVM_{kind}ResourceAllocationSettingData", values) for kind, values in resources
            ],
        )
        assert code == 0
        return list(out["Reasons"] or [])

    assert reasons({}) == []
    assert checks_of(reasons({"Machine": "pdp-11"})) == {"machine"}
    vast = {"InstanceID": "greedy/mem", "VirtualQuantity": pywbem.Uint64(64 << 20), "AllocationUnits": "MegaBytes"}
    (reason,) = reasons({}, ("Mem", vast))
    assert reason.startswith(f"memory: the guest's memory, {64 << 20} MiB, is more than is free there, ")


def test_no_migration_begins_that_a_check_forbids(hosts: TwoHosts) -> None:
    hosts.define("unwanted")
    where: dict[str, Any] = {"MigrationType": OFFLINE, "CheckParameters": ["one", "two; rm -rf"]}
    assert hosts.reasons("unwanted", **where) == ["external/10-name: not this one"]
    asked = (hosts.directory / "asked").read_text()
    assert asked == f"unwanted|{hosts.daemons[HERE].uri()}|one\ntwo; rm -rf\n"
    shown = hosts.end_of(hosts.migrate("unwanted", **where))
    assert shown["JobState"] == EXCEPTION
    assert shown["ErrorDescription"].endswith(": external/10-name: not this one")
    assert hosts.states() == [{"unwanted": "shut off"}, {}]
    assert hosts.end_of(hosts.migrate("unwanted", Force=True, **where))["JobState"] == COMPLETED
    assert hosts.states() == [{}, {"unwanted": "shut off"}]


def test_checks_that_others_could_have_written_are_not_run(hosts: TwoHosts) -> None:
    hosts.define("unwanted")
    program = hosts.checks / "10-name"
    program.chmod(0o777)
    try:
        (found,) = hosts.reasons("unwanted", MigrationType=OFFLINE)
        assert found == f"external/10-name: {program}: others may write there; expected root alone"
    finally:
        program.chmod(0o755)
    hanging = hosts.checks / "20-hangs"
    hanging.write_text("#!/bin/sh\nsleep 600 & wait\n")
    hanging.chmod(0o755)
    try:
        hosts.define("wanted")
        assert hosts.reasons("wanted", MigrationType=OFFLINE) == ["external/20-hangs: took more than 1 s"]
    finally:
        hanging.unlink()


MARK = "/nowhere/mark"

FORBIDDEN = (
    "elsewhere.example",
    "192.0.2.1",
    "[2001:db8::1]",
    "test:///default",
    "qemu:///system",
    f"qemu+ext:///system?command=touch%20{MARK}",
    "qemu+ssh://root@elsewhere.example/system?netcat=/bin/sh",
    "qemu+unix:///system?socket=/run/other",
)


@pytest.mark.parametrize("destination", FORBIDDEN)
def test_a_client_cannot_have_other_hosts_connected_to(hosts: TwoHosts, destination: str) -> None:
    hosts.define("captive")
    for method in ("MigrateVirtualSystemToHost", "ValidateMigration"):
        with pytest.raises(pywbem.CIMError) as raised:
            hosts.call(method, "captive", DestinationHost=destination)
        assert raised.value.status_code == pywbem.CIM_ERR_ACCESS_DENIED
    assert hosts.states()[0] == {"captive": "shut off"}


@pytest.mark.parametrize(
    "uri", ["unix:/etc/passwd", "exec:touch /x", "tcp://elsewhere.example", "fd:3", "rdma://here", "tcp://h/x?y"]
)
@pytest.mark.parametrize("name", ["MigrateURI", "DisksURI"])
def test_a_client_cannot_have_memory_sent_elsewhere(hosts: TwoHosts, name: str, uri: str) -> None:
    if not hosts.names(HERE):
        hosts.define("captive")
    with pytest.raises(pywbem.CIMError) as raised:
        hosts.reasons("captive", MigrationType=OFFLINE, **{name: uri})
    assert raised.value.status_code == pywbem.CIM_ERR_INVALID_PARAMETER
    assert raised.value.status_description.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"MigrationType": 9}, "Unsupported migration type 9"),
        ({"TransportType": 99}, "Failed to construct a valid libvirt URI"),
        ({"Bandwidth": 10, "BandwidthUnit": "percent"}, "BandwidthUnit: percent means nothing"),
        ({"Bandwidth": 10, "BandwidthUnit": "furlong"}, "BandwidthUnit: 'furlong' is not the unit of a rate"),
    ],
)
def test_settings_that_cannot_be(hosts: TwoHosts, values: dict[str, Any], text: str) -> None:
    hosts.define("captive")
    with pytest.raises(pywbem.CIMError) as raised:
        hosts.reasons("captive", **values)
    assert raised.value.status_description.startswith(text)


@pytest.mark.slow
def test_a_guest_stays_where_the_other_host_has_not_its_file(hosts: TwoHosts) -> None:
    image = hosts.daemons[HERE].new_image().name
    disk = (
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='/var/lib/libvirt/images/{image}'/><target dev='vda' bus='virtio'/></disk>"
    )
    hosts.define("rooted", devices=disk)
    hosts.start("rooted")
    assert checks_of(hosts.reasons("rooted")) == {"storage"}
    shown = hosts.end_of(hosts.migrate("rooted", Force=True))
    assert (shown["JobState"], shown["GuestPlace"]) == (EXCEPTION, shown["SourceHost"])
    assert image in shown["ErrorDescription"]
    assert "the guest runs on " in shown["ErrorDescription"]
    assert hosts.states() == [{"rooted": "running"}, {}]


@pytest.mark.slow
def test_a_guest_stays_where_its_target_is_away_or_has_no_certificate(hosts: TwoHosts) -> None:
    hosts.define("captive")
    hosts.start("captive")

    def stays(**settings: Any) -> str:
        shown = hosts.end_of(hosts.migrate("captive", **settings))
        assert (shown["JobState"], shown["GuestPlace"]) == (EXCEPTION, shown["SourceHost"])
        assert hosts.daemons[HERE].list_all() == {"captive": "running"}
        return str(shown["ErrorDescription"])

    assert "credentials" in stays(EncryptData=True)
    hosts.daemons[THERE].kill()
    try:
        assert checks_of(hosts.reasons("captive")) == {"reach"}
        assert "cannot be reached" in stays()
        assert "the guest runs on " in stays(Force=True)
    finally:
        hosts.daemons[THERE].start()
        wait_until(lambda: hosts.hypervisors[THERE].connected)
    wait_until(lambda: hosts.names(HERE) == {"captive": [OK]}, LONG)
    assert hosts.daemons[THERE].list_all() == {}


class Gate:
    """A check of every migration that waits until it is let through.

    Parameters:
        hosts: whose check it is.
    """

    def __init__(self, hosts: TwoHosts) -> None:
        self.waits, self._open = hosts.directory / "waits", hosts.directory / "open"
        self.program = hosts.checks / "30-waits"
        self.program.write_text(
            f"#!/bin/sh\ntouch {self.waits}\nwhile [ ! -e {self._open} ]; do sleep 0.1; done\n"
            f"rm {self.waits} {self._open}\n"
        )
        self.program.chmod(0o755)

    def await_check(self) -> None:
        """Wait until a migration waits here."""
        wait_until(self.waits.exists, LONG)

    def open(self) -> None:
        """Let one through."""
        self.await_check()
        self._open.touch()


@pytest.fixture
def gate(hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    site = hosts.sites[HERE]
    patient = replace(site.settings, migration=replace(hosts.settings, check_timeout=LONG))
    monkeypatch.setattr(site, "settings", patient)
    made = Gate(hosts)
    yield made
    made.program.unlink()


def end(hosts: TwoHosts, job: pywbem.CIMInstanceName, **parameters: Any) -> int:
    """Ask a job to end."""
    return int(hosts.connection.InvokeMethod("RequestStateChange", job, RequestedState=TERMINATE, **parameters)[0])


def test_a_migration_is_ended_before_data_flow(hosts: TwoHosts, gate: Gate) -> None:
    """While its checks go on, while libvirt prepares it, and whenever that is, just after it was asked for."""
    hosts.define("mover", slow=True)
    hosts.start("mover")

    def ends(job: pywbem.CIMInstanceName, at_most: int = 0) -> None:
        shown = hosts.end_of(job)
        assert (shown["JobState"], shown["GuestPlace"]) == (TERMINATED, shown["SourceHost"])
        assert (shown["DataProcessed"] or 0) <= at_most
        wait_until(lambda: hosts.states() == [{"mover": "running"}, {}])

    job = hosts.migrate("mover", Bandwidth=1)
    assert hosts.shown(job)["VirtualSystemName"] == "mover"
    gate.await_check()
    at_once = pywbem.CIMDateTime(timedelta(microseconds=1))
    assert end(hosts, job, TimeoutPeriod=at_once) == NO_TIME
    assert hosts.shown(job)["JobState"] == SHUTTING_DOWN
    gate.open()
    ends(job)
    job = hosts.migrate("mover", Bandwidth=1)
    gate.open()
    wait_until(lambda: hosts.shown(job)["DataTotal"] is not None, LONG)
    assert end(hosts, job) in (0, 4096)
    ends(job, at_most=hosts.shown(job)["DataTotal"] // 2)  # it flows as soon as its total is known
    job = hosts.migrate("mover", Bandwidth=1, Force=True)
    assert end(hosts, job) in (0, 4096)
    ends(job)
    wait_until(lambda: hosts.names(HERE) == {"mover": [OK]})


def test_a_pace_that_is_set_before_a_migration_begins_is_kept(hosts: TwoHosts, gate: Gate) -> None:
    hosts.define("mover", slow=True)
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=3000)

    def change(**limits: int) -> None:
        values = {name: pywbem.Uint32(limit) for name, limit in limits.items()}
        changed = pywbem.CIMInstance(job.classname, values, path=job)
        hosts.connection.ModifyInstance(changed, PropertyList=list(values))

    change(BandwidthLimit=1)
    change(DowntimeLimit=900)
    gate.open()
    wait_for_data(hosts, job)
    shown = hosts.shown(job)
    assert (shown["JobState"], shown["BandwidthLimit"], shown["DowntimeLimit"]) == (RUNNING, 1, 900)
    with closing(hosts.libvirt(HERE)) as connection:
        domain = connection.lookupByName("mover")
        assert domain.migrateGetMaxSpeed() == 1
        wait_until(lambda: domain.migrateGetMaxDowntime() == 900)
    change(BandwidthLimit=0)
    assert hosts.end_of(job)["JobState"] == COMPLETED


@pytest.mark.slow
def test_what_a_migration_cannot_have_while_it_goes_on_is_refused(hosts: TwoHosts, gate: Gate) -> None:
    hosts.define("mover")
    hosts.start("mover")
    hosts.define("off")

    def refused(job: pywbem.CIMInstanceName, **values: Any) -> tuple[int, str]:
        changed = pywbem.CIMInstance(job.classname, values, path=job)
        with pytest.raises(pywbem.CIMError) as raised:
            hosts.connection.ModifyInstance(changed, PropertyList=list(values))
        return raised.value.status_code, raised.value.status_description

    job = hosts.migrate("mover", DowntimeLimit=100)
    wrong = pywbem.CIM_ERR_INVALID_PARAMETER
    nothing = pywbem.CIMProperty("BandwidthLimit", None, type="uint32")
    assert refused(job, BandwidthLimit=nothing) == (wrong, "BandwidthLimit: is NULL; expected a value")
    assert refused(job, DowntimeLimit=pywbem.Uint32(0))[0] == wrong
    assert refused(job, InPostCopy=True)[0] == pywbem.CIM_ERR_NOT_SUPPORTED
    assert refused(job, VirtualSystemName="another")[0] == pywbem.CIM_ERR_NOT_SUPPORTED
    gate.open()
    assert hosts.end_of(job)["JobState"] == COMPLETED
    job = hosts.migrate("off", MigrationType=OFFLINE)
    assert refused(job, BandwidthLimit=pywbem.Uint32(1))[0] == pywbem.CIM_ERR_NOT_SUPPORTED
    gate.open()
    assert hosts.end_of(job)["JobState"] == COMPLETED


def test_a_migration_is_ended_by_a_client(hosts: TwoHosts) -> None:
    hosts.define("mover", slow=True)
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=1)
    wait_for_data(hosts, job)
    with pytest.raises(pywbem.CIMError) as raised:
        hosts.migrate("mover")
    assert raised.value.status_description == "mover: is being migrated already"
    assert end(hosts, job) in (0, 4096)
    shown = hosts.end_of(job)
    assert shown["JobState"] == TERMINATED
    assert shown["GuestPlace"] == shown["SourceHost"]
    wait_until(lambda: hosts.states() == [{"mover": "running"}, {}])
    wait_until(lambda: hosts.names(HERE) == {"mover": [OK]})
    assert hosts.names(THERE) == {}


@pytest.mark.slow
def test_a_guest_that_is_switched_off_on_its_way_stays_where_it_is(hosts: TwoHosts) -> None:
    hosts.define("mover", slow=True)
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=1)
    wait_for_data(hosts, job)
    hosts.daemons[HERE].virsh("destroy", "mover")
    shown = hosts.end_of(job)
    assert (shown["JobState"], shown["GuestPlace"]) == (EXCEPTION, shown["SourceHost"])
    assert hosts.states() == [{"mover": "shut off"}, {}]


def disk_of(source: str, target: str) -> str:
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{source}'/>"
        f"<target dev='{target}' bus='virtio'/></disk>"
    )


IMAGES = "/var/lib/libvirt/images"


@pytest.fixture
def pools(hosts: TwoHosts) -> Iterator[TwoHosts]:
    """Both hosts with a pool for images that is not shared."""
    for daemon in hosts.daemons.values():
        daemon.virsh("pool-create-as", "copied", "dir", "--target", IMAGES)
    yield hosts
    hosts.clear()
    for daemon in hosts.daemons.values():
        daemon.virsh("pool-destroy", "copied")


@pytest.mark.slow
def test_one_disk_of_two_is_copied_and_that_can_be_ended(pools: TwoHosts) -> None:
    """What is begun over there is gone then; what another has left there of another size speaks against it."""
    hosts, shared = pools, pools.shared / "both.qcow2"
    disk_image(shared)
    image = hosts.daemons[HERE].new_image()
    subprocess.run(["qemu-img", "resize", str(image), "48M"], check=True, capture_output=True)
    subprocess.run(["qemu-io", "-c", "write -P 7 1M 40M", str(image)], check=True, capture_output=True)
    hosts.define("carrier", devices=disk_of(str(shared), "vda") + disk_of(f"{IMAGES}/{image.name}", "vdb"))
    hosts.start("carrier")
    copy: dict[str, Any] = {"CopyStorage": True, "CopyDisks": ["vdb"]}
    there = hosts.daemons[THERE].images / image.name
    subprocess.run(["qemu-img", "create", "-f", "qcow2", str(there), "8M"], check=True, capture_output=True)
    (reason,) = hosts.reasons("carrier", **copy)
    assert reason.startswith(f"room: disk vdb: {IMAGES}/{image.name} is there with {8 << 20} bytes; expected ")
    there.unlink()
    # The pool over there does not know that yet.
    assert hosts.reasons("carrier", **copy) == []
    job = hosts.migrate("carrier", Bandwidth=2, **copy)
    wait_until(lambda: hosts.shown(job)["DiskProcessed"] or hosts.shown(job)["JobState"] == EXCEPTION, LONG)
    assert end(hosts, job) in (0, 4096), hosts.shown(job).tomof()
    shown = hosts.end_of(job)
    assert (shown["JobState"], shown["GuestPlace"]) == (TERMINATED, shown["SourceHost"])
    wait_until(lambda: hosts.states() == [{"carrier": "running"}, {}])
    assert not there.exists()
    shown = hosts.end_of(hosts.migrate("carrier", **copy))
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert hosts.states() == [{}, {"carrier": "running"}]
    assert there.exists()
    assert not (hosts.daemons[THERE].images / shared.name).exists()


@pytest.mark.slow
def test_what_the_hosts_have_in_common_is_not_copied(pools: TwoHosts) -> None:
    """Not onto itself; and what is not in common, and not among what a client names, speaks against it."""
    hosts, shared = pools, pools.shared / "kept.qcow2"
    disk_image(shared)
    before = shared.read_bytes()
    image = hosts.daemons[HERE].new_image().name
    hosts.define("carrier", devices=disk_of(str(shared), "vda") + disk_of(f"{IMAGES}/{image}", "vdb"))
    hosts.start("carrier")
    assert checks_of(hosts.reasons("carrier", CopyDisks=["vda"])) == {"room", "storage"}
    assert hosts.reasons("carrier", CopyDisks=["vdz", "vdb"]) == [
        "order: the guest has no disk vdz that could be copied"
    ]
    shown = hosts.end_of(hosts.migrate("carrier", CopyStorage=True))
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert hosts.states() == [{}, {"carrier": "running"}]
    assert (hosts.daemons[THERE].images / image).exists()
    hosts.daemons[THERE].virsh("destroy", "carrier")
    assert shared.read_bytes() == before


def test_the_pace_of_a_migration_is_changed_while_it_goes_on(hosts: TwoHosts) -> None:
    """Meanwhile changes of the guest are refused at once: libvirt would have them wait."""
    hosts.define("mover", slow=True)
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=2, DowntimeLimit=700)
    wait_for_data(hosts, job)
    setting = 'instance of KVM_VirtualSystemSettingData { InstanceID = "KVM:mover"; Notes = { "x" }; };'
    (service,) = hosts.connection.EnumerateInstanceNames("KVM_VirtualSystemManagementService", HERE)
    code, _ = hosts.connection.InvokeMethod("ModifySystemSettings", service, SystemSettings=setting)
    assert code == 5  # Invalid State
    with closing(hosts.libvirt(HERE)) as connection:
        domain = connection.lookupByName("mover")
        assert domain.migrateGetMaxSpeed() == 2
        for limit in (1, 3000):
            set_bandwidth(hosts, job, limit)
            assert hosts.shown(job)["BandwidthLimit"] == limit
            if limit == 1:
                wait_until(lambda: domain.migrateGetMaxSpeed() == 1)
    assert hosts.end_of(job)["JobState"] == COMPLETED
    with pytest.raises(pywbem.CIMError) as raised:
        set_bandwidth(hosts, job, 5)
    assert raised.value.status_description.endswith(" is not under way")
    assert hosts.states() == [{}, {"mover": "running"}]


def test_memory_follows_a_guest_that_runs_at_its_new_place(hosts: TwoHosts) -> None:
    """From then on the migration cannot be ended, but it can stand still and go on."""
    hosts.define("mover", slow=True)
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=1, PostCopy=True, PostCopyAfter=100, PostCopyBandwidth=4)
    wait_for_data(hosts, job)

    def request(state: pywbem.Uint16) -> int:
        return int(hosts.connection.InvokeMethod("RequestStateChange", job, RequestedState=state)[0])

    assert not hosts.shown(job)["InPostCopy"]
    assert request(SUSPEND) == 1
    changed = pywbem.CIMInstance(job.classname, {"InPostCopy": True}, path=job)
    hosts.connection.ModifyInstance(changed, PropertyList=["InPostCopy"])
    wait_until(lambda: hosts.shown(job)["InPostCopy"], LONG)
    assert request(TERMINATE) == 1
    assert request(SUSPEND) == 0
    assert hosts.shown(job)["JobState"] == SUSPENDED
    wait_until(lambda: "post-copy" in hosts.daemons[HERE].virsh("domstate", "mover", "--reason"), LONG)
    assert hosts.shown(job)["JobState"] == SUSPENDED
    assert request(START) == 0
    shown = hosts.end_of(job)
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert hosts.states() == [{}, {"mover": "running"}]
