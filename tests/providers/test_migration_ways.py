"""Guests moved with each of the settings that there are, also to a host that is not served; backups read by TLS."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Libvirtd, wait_until, why_unavailable
from tests.bed.daemon import make_certificates
from tests.bed.guests import boot_sector_xml, disk_image
from tests.bed.linux import UnavailableError
from tests.bed.sshd import Sshd, free_port
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
    THERE,
    TwoHosts,
    guest_xml,
)
from virtcim.providers.backupsettings import BackupSettings
from virtcim.schema.classes import ClassStore

pytestmark = [pytest.mark.root, pytest.mark.qemu, pytest.mark.slow]

IMAGES = "/var/lib/libvirt/images"
SSH, TLS, TLS_STRICT, TCP = 2, 3, 4, 5
"""TransportType."""
OK = 2
NOWHERE = "127.0.0.9"
"""An address at which nobody listens."""
ENABLED, QUIESCE = 2, 9
"""RequestedState."""
BUSY = 4099
PULL, BY_TLS = pywbem.Uint16(3), pywbem.Uint16(3)
NAMES = {"cacert": "ca-cert", "servercert": "server-cert", "serverkey": "server-key"}
NAMES |= {"clientcert": "client-cert", "clientkey": "client-key"}
"""QEMU's names of files that libvirt has under other ones."""


def disk_of(path: str) -> str:
    """A disk with an image in qcow2, by its path in the daemons' namespace."""
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )


def certificates(directory: Path) -> Path:
    """Make certificates for QEMU, for the loopback address and this host."""
    made, pki = directory / "made", directory / "pki"
    make_certificates(made, socket.gethostname())
    pki.mkdir()
    for name, other in NAMES.items():
        shutil.copy(made / f"{name}.pem", pki / f"{other}.pem")
    return pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Libvirtd]:
    """A daemon that no node is."""
    if (reason := why_unavailable()) is not None:
        missing(reason)
    with Libvirtd() as made:
        yield made


@pytest.fixture(scope="module")
def by_ssh(elsewhere: Libvirtd) -> Iterator[str]:
    """The URI of that daemon over SSH."""
    try:
        with Sshd() as sshd:
            yield sshd.uri(f"{elsewhere.directory}/run/libvirt/libvirt-sock")
    except UnavailableError as error:
        missing(str(error))


@pytest.fixture(scope="module")
def by_tls() -> Iterator[Libvirtd]:
    """Another daemon that no node is, and that listens for TLS."""
    with Libvirtd(tls_port=free_port()) as made:
        yield made


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory,
    classes: ClassStore,
    pki: Path,
    elsewhere: Libvirtd,
    by_ssh: str,
    by_tls: Libvirtd,
) -> Iterator[TwoHosts]:
    backup = BackupSettings(tls_address="127.0.0.1", tls_port=free_port())
    directory = tmp_path_factory.mktemp("w")
    conf = f'default_tls_x509_cert_dir = "{pki}"\ndefault_tls_x509_verify = 1\n'
    allowed = (elsewhere.uri(), by_ssh, by_tls.tls_uri(), NOWHERE)
    made = TwoHosts(directory, classes, qemu_conf=conf, backup=backup, destinations=allowed)
    yield made
    made.close()
    assert made.server.invalid == []


@pytest.fixture
def hosts(both: TwoHosts, elsewhere: Libvirtd) -> TwoHosts:
    """Both hosts without a guest."""
    both.clear()
    elsewhere.remove_domains()
    return both


def test_a_guest_moves_with_every_setting_of_libvirts(hosts: TwoHosts) -> None:
    hosts.define("wanderer")
    hosts.start("wanderer")
    here = HERE
    for options in (
        {"ParallelConnections": 2},
        {"Compressed": True},
        {"AutoConverge": True},
        {"TransportType": TCP},
        {"TransportType": TCP, "PeerToPeer": True},
        {"TransportType": TLS_STRICT},
        {"EncryptData": True, "TransportType": TCP, "PeerToPeer": True},
        {"PostCopy": True, "PostCopyAfter": 1, "PostCopyBandwidth": 100},
    ):
        shown = hosts.end_of(hosts.migrate("wanderer", here, **options))
        assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None), options
        here = THERE if here == HERE else HERE
        assert hosts.daemons[here].list_all() == {"wanderer": "running"}, options


@pytest.mark.parametrize(
    ("options", "state", "persistent", "left"),
    [
        ({}, "running", "yes", {}),
        ({"StayPaused": True}, "paused", "yes", {}),
        ({"Persistent": False}, "running", "no", {}),
        ({"KeepSource": True}, "running", "yes", {"mover": "shut off"}),
    ],
)
def test_a_guest_is_there_as_it_is_wanted(
    hosts: TwoHosts, options: dict[str, Any], state: str, persistent: str, left: dict[str, str]
) -> None:
    hosts.define("mover")
    hosts.start("mover")
    shown = hosts.end_of(hosts.migrate("mover", **options))
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert hosts.states() == [left, {"mover": state}]
    facts = hosts.daemons[THERE].virsh("dominfo", "mover")
    assert facts.split("Persistent:")[1].split("\n")[0].strip() == persistent
    wait_until(lambda: list(hosts.names(HERE)) == list(left))


def test_a_guest_that_is_not_persistent_moves(hosts: TwoHosts) -> None:
    hosts.define("passing")
    hosts.start("passing")
    hosts.daemons[HERE].virsh("undefine", "passing")

    def is_passing() -> bool:
        record = hosts.hypervisors[HERE].inventory.domain("passing")
        return record is not None and not record.persistent

    wait_until(is_passing)
    shown = hosts.end_of(hosts.migrate("passing"))
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert hosts.states() == [{}, {"passing": "running"}]
    assert hosts.daemons[THERE].virsh("list", "--transient", "--name").split() == ["passing"]


def test_the_topmost_image_alone_is_copied(hosts: TwoHosts) -> None:
    """What lies below it is on both hosts."""
    for daemon in hosts.daemons.values():
        daemon.virsh("pool-create-as", "copied", "dir", "--target", IMAGES)
    try:
        images = [daemon.images for daemon in hosts.daemons.values()]
        for each in images:
            subprocess.run(
                ["qemu-img", "create", "-f", "qcow2", str(each / "base.qcow2"), "8M"], check=True, capture_output=True
            )
        top = images[0] / "top.qcow2"
        backing = ["-b", "base.qcow2", "-F", "qcow2"]
        subprocess.run(["qemu-img", "create", "-f", "qcow2", *backing, str(top)], check=True, capture_output=True)
        subprocess.run(["qemu-io", "-c", "write -P 7 1M 1M", str(top)], check=True, capture_output=True)
        # libvirt makes no image over another one itself.
        other = images[1] / "top.qcow2"
        subprocess.run(["qemu-img", "create", "-f", "qcow2", *backing, str(other)], check=True, capture_output=True)
        hosts.define("carrier", devices=disk_of(f"{IMAGES}/top.qcow2"))
        hosts.start("carrier")
        shown = hosts.end_of(hosts.migrate("carrier", CopyStorage=True, IncrementalCopy=True))
        assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
        hosts.daemons[THERE].virsh("destroy", "carrier")
        subprocess.run(["qemu-img", "compare", str(top), str(other)], check=True, capture_output=True)
        held = subprocess.run(["qemu-img", "map", str(other)], check=True, capture_output=True, text=True).stdout
        assert "base.qcow2" not in held
    finally:
        hosts.clear()
        for daemon in hosts.daemons.values():
            daemon.virsh("pool-destroy", "copied")


def test_a_guest_goes_to_a_host_that_is_not_served(hosts: TwoHosts, elsewhere: Libvirtd) -> None:
    """To one that the administrator names, whose memory is sent over a socket; its job cannot be asked for more."""
    hosts.define("leaver")
    hosts.start("leaver")
    where = {"DestinationHost": elsewhere.uri(), "MigrationSettingData": hosts.setting(MigrationType=LIVE)}
    code, out = hosts.call("ValidateMigration", "leaver", **where)
    assert (code, out["Reasons"]) == (0, [])
    code, out = hosts.call("MigrateVirtualSystemToHost", "leaver", **where)
    assert code == 4096
    shown = hosts.end_of(out["Job"])
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert hosts.states() == [{}, {}]
    assert elsewhere.list_all() == {"leaver": "running"}
    wait_until(lambda: hosts.names(HERE) == {})


@pytest.mark.parametrize(
    ("transport", "options"),
    [
        (SSH, {}),
        (SSH, {"MigrationType": RESUME}),
        (SSH, {"MigrationType": OFFLINE}),
        (SSH, {"ParallelConnections": 2}),
        (TLS, {"Tunnelled": True}),
        (TLS_STRICT, {"Tunnelled": True, "PeerToPeer": True}),
    ],
)
def test_a_guest_goes_over_the_network(
    hosts: TwoHosts,
    elsewhere: Libvirtd,
    by_ssh: str,
    by_tls: Libvirtd,
    transport: int,
    options: dict[str, Any],
) -> None:
    uri, there = (by_ssh, elsewhere) if transport == SSH else (by_tls.tls_uri(), by_tls)
    there.remove_domains()
    name = "traveller"
    hosts.define(name, slow=options.get("MigrationType") != OFFLINE)
    if options.get("MigrationType") != OFFLINE:
        hosts.start(name)
    where = {"DestinationHost": uri, "MigrationSettingData": hosts.setting(TransportType=transport, **options)}
    code, out = hosts.call("ValidateMigration", name, **where)
    assert (code, out["Reasons"]) == (0, [])
    code, out = hosts.call("MigrateVirtualSystemToHost", name, **where)
    assert code == 4096
    shown = hosts.end_of(out["Job"])
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert shown["GuestPlace"] == shown["DestinationHost"] == "127.0.0.1"
    assert hosts.states() == [{}, {}]
    state = "shut off" if options.get("MigrationType") == OFFLINE else "running"
    assert there.list_all() == {name: state}
    there.remove_domains()


@pytest.mark.parametrize("transport", [SSH, TLS, TLS_STRICT, TCP])
def test_a_host_that_cannot_be_reached_keeps_no_guest_waiting(hosts: TwoHosts, transport: int) -> None:
    """As nothing is there, or no certificate of its authority is here."""
    hosts.define("stays")
    hosts.start("stays")
    where = {"DestinationHost": NOWHERE, "MigrationSettingData": hosts.setting(TransportType=transport)}
    code, out = hosts.call("ValidateMigration", "stays", **where)
    assert code == 0
    assert [each for each in out["Reasons"] if each.startswith(f"reach: {NOWHERE} cannot be reached: ")]
    code, out = hosts.call("MigrateVirtualSystemToHost", "stays", **where)
    shown = hosts.end_of(out["Job"])
    assert (shown["JobState"], shown["GuestPlace"]) == (EXCEPTION, shown["SourceHost"])
    assert hosts.states() == [{"stays": "running"}, {}]


def lift_limit(hosts: TwoHosts, job: pywbem.CIMInstanceName) -> None:
    """Have a migration go on as fast as it can."""
    changed = pywbem.CIMInstance(job.classname, {"BandwidthLimit": pywbem.Uint32(0)}, path=job)
    hosts.connection.ModifyInstance(changed, PropertyList=["BandwidthLimit"])


def test_a_guest_that_is_on_its_way_can_be_paused_and_not_resumed(hosts: TwoHosts) -> None:
    """libvirt 9.0 has it run again at its new place."""
    hosts.define("mover", slow=True)
    hosts.start("mover")
    job = hosts.migrate("mover", Bandwidth=1)
    wait_until(lambda: hosts.shown(job)["DataProcessed"], LONG)

    def end_of(state: int) -> pywbem.CIMInstance:
        path, requested = hosts.system("mover"), pywbem.Uint16(state)
        code, out = hosts.connection.InvokeMethod("RequestStateChange", path, RequestedState=requested)
        assert code == 4096
        return hosts.end_of(out["Job"])

    assert end_of(QUIESCE)["JobState"] == COMPLETED
    assert hosts.states()[0] == {"mover": "paused"}
    refused = end_of(ENABLED)
    assert refused["JobState"] == EXCEPTION
    assert f"gave back {BUSY}" in refused["ErrorDescription"]
    lift_limit(hosts, job)
    shown = hosts.end_of(job)
    assert (shown["JobState"], shown["ErrorDescription"]) == (COMPLETED, None)
    assert [list(each) for each in hosts.states()] == [[], ["mover"]]


def test_two_clients_move_one_guest(hosts: TwoHosts) -> None:
    """It goes once; the second is told why not, and where it is."""
    hosts.define("mover", slow=True)
    hosts.start("mover")
    first, second = hosts.migrate("mover", Bandwidth=1), None
    try:
        second = hosts.migrate("mover", Bandwidth=1)
    except pywbem.CIMError as error:
        assert error.status_description == "mover: is being migrated already"  # noqa: PT017
    wait_until(lambda: hosts.shown(first)["DataProcessed"], LONG)
    lift_limit(hosts, first)
    assert hosts.end_of(first)["JobState"] == COMPLETED
    if second is not None:
        shown = hosts.end_of(second)
        assert shown["JobState"] == EXCEPTION
        assert shown["ErrorDescription"]
    assert hosts.states() == [{}, {"mover": "running"}]


def test_a_backup_is_read_by_tls(hosts: TwoHosts, pki: Path) -> None:
    image = hosts.daemons[HERE].new_image()
    hosts.define("read", devices=disk_of(f"{IMAGES}/{image.name}"))
    hosts.start("read")
    (service,) = hosts.connection.EnumerateInstanceNames("KVM_BackupService", HERE)
    settings = pywbem.CIMInstance("KVM_BackupSettingData", {"Transport": BY_TLS})
    code, out = hosts.connection.InvokeMethod(
        "StartBackup", service, AffectedSystem=hosts.system("read"), BackupMode=PULL, BackupSettings=settings
    )
    assert code == 4096
    shown = wait_until(
        lambda: now if (now := hosts.shown(out["Job"]))["Exports"] or now["JobState"] != RUNNING else None, LONG
    )
    (export,) = shown["Exports"]
    port = hosts.sites[HERE].settings.backup.tls_port
    assert f"127.0.0.1:{port}" in export

    def read(tls: bool) -> subprocess.CompletedProcess[str]:
        secret = ["--object", f"tls-creds-x509,id=t,dir={pki},endpoint=client"] if tls else []
        options = f"driver=nbd,host=127.0.0.1,port={port},export=vda{',tls-creds=t' if tls else ''}"
        command = ["qemu-img", "info", *secret, "--image-opts", options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert read(False).returncode != 0
    answer = read(True)
    assert "virtual size" in answer.stdout, answer.stderr
    code, ended = hosts.connection.InvokeMethod("EndBackup", service, AffectedSystem=hosts.system("read"))
    assert hosts.end_of(ended["Job"])["JobState"] == COMPLETED
    assert hosts.end_of(out["Job"])["JobState"] == COMPLETED
    assert hosts.daemons[HERE].list_all() == {"read": "running"}


def stays(hosts: TwoHosts, shown: pywbem.CIMInstance, name: str, there: dict[str, str]) -> str:
    """See that a guest is where it was, and shown there alone; what its job says."""
    assert (shown["JobState"], shown["GuestPlace"]) == (EXCEPTION, shown["SourceHost"]), shown["ErrorDescription"]
    assert hosts.states() == [{name: "running"}, there]
    wait_until(lambda: (hosts.names(HERE), sorted(hosts.names(THERE))) == ({name: [OK]}, sorted(there)), 20)
    return str(shown["ErrorDescription"])


def test_a_guest_is_not_moved_onto_its_own_host(hosts: TwoHosts) -> None:
    """Not by force either: it is one guest before and after."""
    image = hosts.daemons[HERE].new_image()
    hosts.define("homely", devices=disk_of(f"{IMAGES}/{image.name}"))
    hosts.start("homely")
    for options in ({}, {"Force": True}, {"Force": True, "CopyStorage": True}, {"Force": True, "PeerToPeer": True}):
        where = {"DestinationHost": hosts.daemons[HERE].uri(), "MigrationSettingData": hosts.setting(**options)}
        code, out = hosts.call("MigrateVirtualSystemToHost", "homely", **where)
        assert code == 4096
        shown = hosts.end_of(out["Job"])
        assert shown["JobState"] == EXCEPTION
        assert hosts.states() == [{"homely": "running"}, {}]
        wait_until(lambda: hosts.names(HERE) == {"homely": [OK]}, 20)
        assert image.exists()


@pytest.mark.parametrize("is_same_uuid", [False, True])
def test_a_guest_harms_none_that_is_there(hosts: TwoHosts, is_same_uuid: bool) -> None:
    """Under its name, or with its UUID; told before, and where it is forced, by libvirt."""
    uuid = hosts.define("newcomer")
    hosts.start("newcomer")
    resident = "resident" if is_same_uuid else "newcomer"
    xml = guest_xml(resident, "", "", None)
    hosts.daemons[THERE].define(xml.replace("<memory", f"<uuid>{uuid}</uuid><memory") if is_same_uuid else xml)
    wait_until(lambda: hosts.hypervisors[THERE].inventory.domain(resident), 20)
    (reason,) = hosts.reasons("newcomer")
    assert reason.startswith("uuid: " if is_same_uuid else "name: ")
    shown = hosts.end_of(hosts.migrate("newcomer", Force=True))
    assert shown["JobState"] == EXCEPTION
    assert "exists" in shown["ErrorDescription"] or "already" in shown["ErrorDescription"]
    assert hosts.states() == [{"newcomer": "running"}, {resident: "shut off"}]
    wait_until(lambda: (list(hosts.names(HERE)), list(hosts.names(THERE))) == (["newcomer"], [resident]), 20)


def test_a_guest_that_was_shut_down_for_nothing_runs_again(hosts: TwoHosts) -> None:
    image, console = hosts.shared / "again.qcow2", hosts.directory / "again"
    disk_image(image)
    hosts.daemons[HERE].define(boot_sector_xml("again", image, console_log=console))
    hosts.daemons[THERE].define(guest_xml("again", "", "", None))
    wait_until(lambda: hosts.names(HERE) and hosts.names(THERE), 20)
    hosts.start("again")
    wait_until(lambda: "READY" in console.read_text(errors="replace"), LONG)
    run = hosts.daemons[HERE].virsh("domid", "again")
    shown = hosts.end_of(hosts.migrate("again", MigrationType=RESTART, Force=True))
    assert shown["JobState"] == EXCEPTION
    assert "; the guest runs on " in shown["ErrorDescription"]
    assert hosts.daemons[HERE].virsh("domid", "again") != run, "it was shut down meanwhile"
    assert hosts.states() == [{"again": "running"}, {"again": "shut off"}]


def test_a_copy_that_finds_no_room_leaves_nothing(hosts: TwoHosts) -> None:
    narrow = f"{IMAGES}/narrow"
    inside = ["nsenter", f"--mount={hosts.daemons[THERE].namespace}"]
    for daemon in hosts.daemons.values():
        (daemon.images / "narrow").mkdir()
    subprocess.run([*inside, "mount", "-t", "tmpfs", "-o", "size=2m", "none", narrow], check=True)
    try:
        for daemon in hosts.daemons.values():
            daemon.virsh("pool-create-as", "narrow", "dir", "--target", narrow)
        image = hosts.daemons[HERE].images / "narrow" / "disk.qcow2"
        subprocess.run(["qemu-img", "create", "-f", "qcow2", str(image), "32M"], check=True, capture_output=True)
        subprocess.run(["qemu-io", "-c", "write -P 7 1M 16M", str(image)], check=True, capture_output=True)
        hosts.define("broad", devices=disk_of(f"{narrow}/disk.qcow2"))
        hosts.start("broad")
        (reason,) = hosts.reasons("broad", CopyStorage=True)
        assert reason.startswith(f"room: disk vda: {32 << 20} bytes do not fit into pool narrow, ")
        stays(hosts, hosts.end_of(hosts.migrate("broad", CopyStorage=True, Force=True)), "broad", {})
        left = subprocess.run([*inside, "ls", narrow], check=True, capture_output=True, text=True).stdout
        assert left == ""
        subprocess.run(["qemu-io", "-U", "-r", "-c", "read -P 7 1M 16M", str(image)], check=True, capture_output=True)
    finally:
        hosts.clear()
        for daemon in hosts.daemons.values():
            daemon.virsh("pool-destroy", "narrow")
        subprocess.run([*inside, "umount", "--lazy", narrow], check=True)


def test_what_libvirt_does_not_do_together_is_told(hosts: TwoHosts) -> None:
    hosts.define("captive")
    host = hosts.hypervisors[THERE].hostname
    for options, text in (
        ({"Tunnelled": True, "MigrateURI": f"tcp://{host}"}, "what is tunnelled goes to no address of its own"),
        ({"Tunnelled": True, "TransportType": TCP, "CopyStorage": True}, "what is tunnelled can neither copy disks"),
        ({"MigrationType": OFFLINE, "Persistent": False}, "a guest that does not run has to be persistent over there"),
        ({"MigrationType": OFFLINE, "CopyStorage": True}, "the disks of a guest that does not run are not copied"),
        ({"MigrationType": OFFLINE, "PostCopy": True}, "memory can follow later only where the guest keeps running"),
    ):
        assert [each for each in hosts.reasons("captive", **options) if each.startswith(f"order: {text}")], options
    other = pywbem.CIMInstance(
        "KVM_VirtualSystemSettingData", {"UUID": "00000000-0000-4000-8000-000000000002", "ElementName": "captive"}
    )
    with pytest.raises(pywbem.CIMError, match="cannot change UUID"):
        hosts.call(
            "ValidateMigration",
            "captive",
            DestinationHost=hosts.daemons[THERE].uri(),
            MigrationSettingData=hosts.setting(MigrationType=OFFLINE),
            NewSystemSettingData=other,
        )
