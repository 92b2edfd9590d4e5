"""VirtualSystemSnapshotService on libvirt's test driver: what it does, what it refuses, and in which words."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.bed import wait_until
from tests.dump.recorded_libvirt import failure
from tests.providers.poolservice import HASTY
from tests.providers.recorded import CONTEXT, PLATFORMS, Served, domain_xml, hypervisor, platform
from tests.providers.snapshotservice import (
    COMPLETED,
    DISK,
    FULL,
    INVALID_STATE,
    INVALID_TYPE,
    MEMORY,
    MEMORY_AND_STOP,
    NOT_SUPPORTED,
    SnapshotService,
)
from virtcim.app.store import SQLiteStore, read_table
from virtcim.libhelper.documents.snapshot import SnapshotConfig
from virtcim.libhelper.domains import freezing
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.frozen import FrozenGuests
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.inventory.records import SNAPSHOTS, Document, Snapshot
from virtcim.providers.frozen import FrozenGuest, FrozenRecords
from virtcim.providers.guests import guest_named
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath
from virtcim.providers.kinds import KINDS
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.site import Site
from virtcim.providers.snapshots import SnapshotType, can_notify, creation_obstacles

RUNNING, OFF, PAUSED = 2, 3, 9
GUEST = """<domain type='test'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='file'><source file='/pools/p/{name}.img'/><target dev='vda'/></disk></devices></domain>"""


@pytest.fixture
def uri(tmp_path: Path) -> str:
    node = tmp_path / "node.xml"
    node.write_text(f"<node>{GUEST.format(name='web')}{GUEST.format(name='db')}</node>")
    return f"test://{node}"


@pytest.fixture
def service(uri: str) -> Iterator[SnapshotService]:
    made = SnapshotService(uri, "Test")
    yield made
    made.close()


def state_of(service: SnapshotService, name: str = "web") -> int:
    return int(service.guest(name, "Test")["EnabledState"])


def stop(service: SnapshotService, name: str = "web") -> None:
    service.hypervisor.domains.destroy(name)
    assert service.hypervisor.inventory.wait_for(lambda now: not now.domain(name).active, 60)  # type: ignore[union-attr]


def with_libvirt(service: SnapshotService, use: Callable[[Any], None], name: str = "web") -> None:
    with service.hypervisor.domains.handle(name) as target:
        use(target)


def await_tree(service: SnapshotService, expected: dict[str, str | None], name: str = "web") -> None:
    deadline = time.monotonic() + 60
    while (tree := service.tree(name)) != expected:
        assert time.monotonic() < deadline, tree
        time.sleep(0.02)


def test_a_snapshot_shows_what_the_guest_was(service: SnapshotService) -> None:
    result = service.take("web", ElementName="one", Description="before the update")
    assert result.return_value == COMPLETED
    assert result.out["ResultingSnapshot"] == service.snapshot("web", "one")
    shown = service.shown(result.out["ResultingSnapshot"])
    assert shown["InstanceID"] == "Test:web/snapshot/one"
    assert (shown["ElementName"], shown["ConfigurationName"], shown["VirtualSystemIdentifier"]) == ("one", "one", "web")
    assert (shown["SnapshotType"], shown["SnapshotState"], shown["ChangeableType"]) == (FULL, RUNNING, 0)
    assert (shown["Notes"], shown["Caption"]) == (["before the update"], "Snapshot one of web")
    assert abs(shown["CreationTime"].timestamp() - time.time()) < 3600
    assert "AutoStart" not in shown
    settings = [each.identity for each in service.instances("Test_DiskResourceAllocationSettingData")]
    assert sorted(map(str, settings)) == ["db/vda", "web/snapshot/one/vda", "web/vda"]
    part = service.get("Test_DiskResourceAllocationSettingData", InstanceID="web/snapshot/one/vda")
    assert (part.properties()["Address"], part.properties()["ChangeableType"]) == ("/pools/p/web.img", 0)
    parts = service.linked("VirtualSystemSettingDataComponent", service.snapshot("web", "one"))
    assert parts.count(str(part.identity)) == 1
    own = service.vssd("web", "Test")
    assert not {"ConfigurationName", "CreationTime", "SnapshotType", "SnapshotState"} & own.keys()


def test_a_snapshot_is_no_configuration_that_the_guest_is_in(service: SnapshotService) -> None:
    """It is associated with the guest as a snapshot only, and nothing of it is allocated."""
    service.take("web", ElementName="one")
    path = service.snapshot("web", "one")
    assert service.linked("SnapshotOfVirtualSystem", service.system("web")) == ["Test:web/snapshot/one"]
    for base in ("ElementSettingData", "SettingsDefineState"):
        assert service.linked(base, service.system("web")) == ["Test:web"]
        assert service.linked(base, path) == []
    (pool,) = service.instances("Test_ProcessorPool")
    allocated = service.linked("ResourceAllocationFromPool", pool.path())
    assert sorted(allocated) == ["db/proc", "web/proc"]


def test_the_tree_is_that_of_libvirt(service: SnapshotService) -> None:
    for name in ("a", "b", "c"):
        assert service.take("web", ElementName=name).return_value == COMPLETED
    assert service.tree("web") == {"a": None, "b": "a", "c": "b"}
    assert service.current("web") == "c"
    assert service.call("ApplySnapshot", Snapshot=service.snapshot("web", "a")).return_value == COMPLETED
    assert service.current("web") == "a"
    assert service.linked("LastAppliedSnapshot", service.snapshot("web", "a")) == ["web"]
    service.take("web", ElementName="d")
    assert service.tree("web") == {"a": None, "b": "a", "c": "b", "d": "a"}
    assert (service.current("web"), service.applied("web")) == ("d", "a")
    # The children of one that goes follow its parent, though their names stay.
    assert service.call("DestroySnapshot", AffectedSnapshot=service.snapshot("web", "b")).return_value == COMPLETED
    assert service.tree("web") == {"a": None, "c": "a", "d": "a"}
    assert service.call("DestroySnapshotTree", AffectedSnapshot=service.snapshot("web", "a")).return_value == COMPLETED
    assert service.tree("web") == {}
    assert service.current("web") is None
    assert service.tree("db") == {}


@pytest.mark.parametrize(
    ("taken", "now", "wanted", "expected"),
    [
        (RUNNING, RUNNING, None, RUNNING),
        (RUNNING, OFF, None, RUNNING),
        (OFF, RUNNING, None, OFF),
        (OFF, OFF, None, OFF),
        (RUNNING, OFF, PAUSED, PAUSED),
        (RUNNING, RUNNING, PAUSED, PAUSED),
        (OFF, OFF, RUNNING, RUNNING),
        (OFF, RUNNING, RUNNING, RUNNING),
        (RUNNING, RUNNING, OFF, OFF),
        (OFF, RUNNING, OFF, OFF),
    ],
)
def test_a_guest_is_put_into_the_state_that_is_asked_for(
    service: SnapshotService, taken: int, now: int, wanted: int | None, expected: int
) -> None:
    if taken == OFF:
        stop(service)
    service.take("web", ElementName="s")
    assert service.shown(service.snapshot("web", "s"))["SnapshotState"] == taken
    if taken == OFF and now == RUNNING:
        service.hypervisor.domains.start("web")
        assert service.hypervisor.inventory.wait_for(lambda each: each.domain("web").active, 60)  # type: ignore[union-attr]
    elif taken == RUNNING and now == OFF:
        stop(service)
    method = "ApplySnapshot" if wanted is None else "ApplySnapshotInState"
    result = service.call(method, Snapshot=service.snapshot("web", "s"), RequestedState=wanted)
    assert result.return_value == COMPLETED
    assert state_of(service) == expected


def test_memory_is_saved_as_libvirt_cim_has_it(service: SnapshotService) -> None:
    """The new snapshot is the guest as it is, and applying it starts the guest."""
    result = service.take("web", MEMORY_AND_STOP)
    assert result.return_value == COMPLETED
    assert result.out["ResultingSnapshot"] == service.vssd_path("web")
    assert service.hypervisor.inventory.domain("web").has_managed_save  # type: ignore[union-attr]
    assert service.take("web", MEMORY_AND_STOP).return_value == INVALID_STATE
    assert service.call("ApplySnapshot", Snapshot=service.vssd_path("web")).return_value == COMPLETED
    assert state_of(service) == RUNNING
    assert service.call("ApplySnapshot", Snapshot=service.vssd_path("web")).return_value == INVALID_STATE
    service.take("web", MEMORY_AND_STOP)
    assert service.call("DestroySnapshot", AffectedSnapshot=service.vssd_path("web")).return_value == COMPLETED
    assert state_of(service) == OFF
    assert not service.hypervisor.inventory.domain("web").has_managed_save  # type: ignore[union-attr]


def test_disks_are_not_put_back_behind_saved_memory(service: SnapshotService) -> None:
    """The guest would go on with what it knew of other disks."""
    service.take("web", ElementName="s")
    service.take("web", MEMORY_AND_STOP)
    assert service.call("ApplySnapshot", Snapshot=service.snapshot("web", "s")).return_value == INVALID_STATE
    assert service.call("DestroySnapshot", AffectedSnapshot=service.vssd_path("web")).return_value == COMPLETED
    assert service.call("ApplySnapshot", Snapshot=service.snapshot("web", "s")).return_value == COMPLETED


def test_work_that_takes_long_is_a_job(uri: str) -> None:
    service = SnapshotService(uri, "Test", settings=ProviderSettings(jobs=HASTY))
    try:
        started = service.take("web", ElementName="one")
        assert started.return_value == 4096
        shown = service.end_of(started.out["Job"])
        assert (shown["JobState"], shown["Name"], shown["PercentComplete"]) == (7, "CreateSnapshot web", 100)
        assert "web/snapshot/one" in str(shown["JobOutParameters"])
        assert service.linked("AffectedJobElement", service.system("web")) == [started.out["Job"].keys["InstanceID"]]
        gone = service.snapshot("web", "one")
        service.hypervisor.snapshots.delete(service.hypervisor.inventory.domain("web").uuid, "one")  # type: ignore[union-attr]
        with pytest.raises(CIMError):
            service.call("ApplySnapshot", Snapshot=gone)
    finally:
        service.close()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SnapshotType": None}, "INVALID_PARAMETER Missing SnapshotType"),
        ({"AffectedSystem": None}, "INVALID_PARAMETER Missing AffectedSystem"),
        (
            {"AffectedSystem": InstancePath("Test_ComputerSystem", {"CreationClassName": "Test_ComputerSystem"}, "")},
            "INVALID_PARAMETER Missing Name property of AffectedSystem",
        ),
        (
            {"AffectedSystem": InstancePath("Test_ComputerSystem", {"Name": "none"}, "root/virt")},
            "NOT_FOUND Referenced domain `none' does not exist",
        ),
        ({"AffectedSystem": InstancePath("KVM_Nothing", {"Name": "web"}, "root/virt")}, "INVALID_CLASS"),
        ({"ElementName": "a/b"}, "INVALID_PARAMETER 'a/b' cannot be the name of a snapshot"),
        ({"ElementName": ".hidden"}, "INVALID_PARAMETER '.hidden' cannot be the name of a snapshot"),
        ({"ElementName": "a\nb"}, "INVALID_PARAMETER 'a\\nb' cannot be the name of a snapshot"),
        ({"ElementName": "a\ufffeb"}, "INVALID_PARAMETER SnapshotSettings: "),
        ({"Description": "\x00"}, "INVALID_PARAMETER SnapshotSettings: "),
        ({"ElementName": "there"}, "ALREADY_EXISTS snapshot 'there' of guest 'web' exists"),
        ({"ElementName": 5}, "INVALID_PARAMETER `ElementName': is int; expected a string"),
        ({"Disks": ["vdz"]}, "INVALID_PARAMETER Disks: guest 'web' has no disk 'vdz'; expected vda"),
        ({"Disks": "vda"}, "INVALID_PARAMETER Disks: is str; expected an array of strings"),
        ({"Quiesce": True}, "INVALID_PARAMETER Quiesce: "),
        ({"Quiesce": 1}, "INVALID_PARAMETER Quiesce: is int; expected a boolean"),
        ({"OverlayDirectory": "/x"}, "INVALID_PARAMETER Overlays: a snapshot of type 2 has none"),
        ({"OverlayDirectory": "x"}, "INVALID_PARAMETER 'x' is no place for an overlay; expected a full path"),
        ({"OverlayDirectory": "/x/../etc"}, "INVALID_PARAMETER '/x/../etc' is no place for an overlay"),
        ({"Overlays": ["/x"]}, "INVALID_PARAMETER Overlays: has 1 values; expected one for each of Disks"),
    ],
)
def test_what_is_refused_before_anything_begins(
    service: SnapshotService, changes: dict[str, Any], expected: str
) -> None:
    service.take("web", ElementName="there")
    given: dict[str, Any] = {"AffectedSystem": service.system("web"), "SnapshotType": FULL}
    wishes = {key: value for key, value in changes.items() if key not in given}
    given |= {key: value for key, value in changes.items() if key in given}
    text = service.refused("CreateSnapshot", **given, SnapshotSettings=service.wishes(**wishes) if wishes else None)
    assert text.startswith(expected)
    assert service.tree("web") == {"there": None}


def test_settings_of_something_else_are_refused(service: SnapshotService) -> None:
    other = EmbeddedInstance(service.name_of("MemResourceAllocationSettingData"), {"ElementName": "memory"})
    given = {"AffectedSystem": service.system("web"), "SnapshotType": FULL, "SnapshotSettings": other}
    assert "expected a VirtualSystemSnapshotSettingData" in service.refused("CreateSnapshot", **given)
    assert service.tree("web") == {}


def test_types_that_are_not_there(service: SnapshotService) -> None:
    assert service.take("web", 7).return_value == INVALID_TYPE
    for kind in (DISK, MEMORY):
        assert service.take("web", kind).return_value == NOT_SUPPORTED
    stop(service)
    assert service.take("web", MEMORY_AND_STOP).return_value == INVALID_STATE


@pytest.mark.parametrize("method", ["ApplySnapshot", "DestroySnapshot", "DestroySnapshotTree", "ApplySnapshotInState"])
def test_what_is_no_snapshot(service: SnapshotService, method: str) -> None:
    name = "Snapshot" if method.startswith("Apply") else "AffectedSnapshot"
    cases: list[tuple[InstancePath | None, str]] = [
        (None, "INVALID_PARAMETER Missing Snapshot"),
        (
            InstancePath("Test_VirtualSystemSettingData", {"InstanceID": "web"}, "root/virt"),
            "FAILED Invalid InstanceID in Snapshot",
        ),
        (service.snapshot("web", "none"), "NOT_FOUND No such instance"),
        (service.snapshot("none", "x"), "NOT_FOUND No such instance"),
        (InstancePath("Test_HostSystem", {"InstanceID": "a:b"}, "root/virt"), ""),
    ]
    for given, expected in cases:
        assert service.refused(method, **{name: given}).startswith(expected)
    assert service.call(method, **{name: service.vssd_path("web")}).return_value == INVALID_STATE


def test_the_settings_of_a_snapshot_are_not_changed_nor_the_guest_instead(service: SnapshotService) -> None:
    service.take("web", ElementName="one")
    name = "Test_VirtualSystemManagementService"
    (management,) = service.instances(name)
    shown = service.shown(service.snapshot("web", "one"))

    def call(method: str, **parameters: Any) -> None:
        service.providers[name].invoke_method(name, management.keys(), method, parameters, CONTEXT)

    with pytest.raises(CIMError, match="is a snapshot, which stays as it is"):
        call(
            "ModifySystemSettings",
            SystemSettings=EmbeddedInstance("Test_VirtualSystemSettingData", {**shown, "Description": "changed"}),
        )
    assert service.vssd("web", "Test")["Description"] != "changed"
    part = service.shown(
        InstancePath("Test_MemResourceAllocationSettingData", {"InstanceID": "web/snapshot/one/mem"}, "root/virt")
    )
    with pytest.raises(CIMError, match="No such instance"):
        call(
            "ModifyResourceSettings",
            ResourceSettings=[
                EmbeddedInstance("Test_MemResourceAllocationSettingData", {**part, "VirtualQuantity": 32768})
            ],
        )


def test_a_read_only_connection_takes_none(uri: str) -> None:
    service = SnapshotService(uri, "Test", read_only=True)
    try:
        assert service.refused("CreateSnapshot", AffectedSystem=service.system("web"), SnapshotType=FULL).startswith(
            "ACCESS_DENIED"
        )
        shown = service.get("Test_VirtualSystemSnapshotCapabilities", InstanceID="web").properties()
        assert shown["SnapshotTypesEnabled"] == []
        (general,) = service.instances("Test_VirtualSystemSnapshotServiceCapabilities")
        assert general.properties()["SynchronousMethodsSupported"] == []
    finally:
        service.close()


def test_what_others_do_is_seen(service: SnapshotService) -> None:
    """libvirt tells of no snapshot by an event."""
    with_libvirt(service, lambda web: web.snapshotCreateXML("<domainsnapshot><name>x</name></domainsnapshot>", 0))
    await_tree(service, {"x": None})
    with_libvirt(service, lambda web: web.snapshotCreateXML("<domainsnapshot><name>y</name></domainsnapshot>", 0))
    await_tree(service, {"x": None, "y": "x"})
    with_libvirt(service, lambda web: web.revertToSnapshot(web.snapshotLookupByName("x"), 0))
    inventory = service.hypervisor.inventory

    def is_current(name: str) -> bool:
        web = inventory.domain("web")
        return web is not None and [each.name for each in web.snapshots or () if each.is_current] == [name]

    assert inventory.wait_for(lambda _: is_current("x"), 60)
    with_libvirt(service, lambda web: web.snapshotLookupByName("x").delete(0))
    await_tree(service, {"y": None})


def test_settings_as_clients_of_libvirt_cim_send_them(service: SnapshotService) -> None:
    """The settings of the guest itself do not name the snapshot after the guest."""
    own = EmbeddedInstance("Test_VirtualSystemSettingData", service.vssd("web", "Test"))
    result = service.call(
        "CreateSnapshot", AffectedSystem=service.system("web"), SnapshotType=FULL, SnapshotSettings=own
    )
    (name,) = service.tree("web")
    assert result.out["ResultingSnapshot"] == service.snapshot("web", name)
    assert name != "web"
    service.take("web")
    assert len(service.tree("web")) == 2  # within one second, too


def test_a_guest_that_is_called_like_a_snapshot() -> None:
    """Some drivers take a slash in the name of a guest."""
    host = hypervisor("KVM")
    xml = f"<domainsnapshot><name>one</name>{domain_xml('web', DISKS['qcow2'])}</domainsnapshot>"
    snapshot = Snapshot("one", "web/one", Document(xml, SnapshotConfig.parse))
    host.put(domain_xml("web", DISKS["qcow2"]), has_snapshots=True, parts={SNAPSHOTS: (snapshot,)})
    host.put(domain_xml("web/snapshot/one", DISKS["qcow2"]))
    site = Served([(platform("KVM"), host)])
    assert sorted(site.identifiers("KVM_VirtualSystemSettingData")) == [
        "KVM:web",
        "KVM:web/snapshot#2/one",
        "KVM:web/snapshot/one",
    ]
    assert len(set(site.identifiers("KVM_DiskResourceAllocationSettingData"))) == 3
    for identifier, name in (("web/snapshot#2/one", "one"), ("web/snapshot/one", "web/snapshot/one")):
        assert site.vssd(identifier)["ElementName"] == name


DISKS = {
    "qcow2": "<disk type='file'><driver name='qemu' type='qcow2'/><source file='/a'/><target dev='vda'/></disk>",
    "raw": "<disk type='file'><driver name='qemu' type='raw'/><source file='/b'/><target dev='vdb'/></disk>",
    "cdrom": "<disk type='file' device='cdrom'><source file='/c'/><target dev='sda'/><readonly/></disk>",
    "network": (
        "<disk type='network'><driver name='qemu' type='raw'/><source protocol='rbd' name='p/i'/>"
        "<target dev='vdc'/></disk>"
    ),
    "left out": (
        "<disk type='file' snapshot='no'><driver name='qemu' type='qcow2'/><source file='/d'/>"
        "<target dev='vdd'/></disk>"
    ),
}


@pytest.mark.parametrize(
    ("disks", "active", "persistent", "expected"),
    [
        (("qcow2", "cdrom"), False, True, {FULL, DISK}),
        (("qcow2", "cdrom"), True, True, {FULL, DISK, MEMORY, MEMORY_AND_STOP}),
        (("qcow2", "raw"), True, True, {DISK, MEMORY, MEMORY_AND_STOP}),
        (("raw",), False, True, {DISK}),
        (("network",), True, True, {MEMORY_AND_STOP}),
        (("cdrom",), True, True, {MEMORY_AND_STOP}),
        ((), True, True, {MEMORY_AND_STOP}),
        (("left out",), True, True, {MEMORY_AND_STOP}),
        (("qcow2",), True, False, set()),
    ],
)
def test_which_snapshots_a_guest_can_have(
    disks: tuple[str, ...], active: bool, persistent: bool, expected: set[int]
) -> None:
    host = hypervisor("KVM")
    host.put(domain_xml("g", "".join(DISKS[each] for each in disks)), active=active, persistent=persistent)
    site = Served([(platform("KVM"), host)])
    shown = site.get("KVM_VirtualSystemSnapshotCapabilities", InstanceID="g").properties()
    assert set(shown["SnapshotTypesEnabled"]) == expected  # type: ignore[arg-type]
    reasons = shown.get("Obstacles") or []
    assert {int(each.partition(":")[0]) for each in reasons} == {*map(int, SnapshotType)} - expected  # type: ignore[union-attr]
    guest = guest_named(site.site, platform("KVM"), "g")
    assert guest is not None
    assert {kind for kind, obstacle in creation_obstacles(guest).items() if obstacle is None} == expected


def test_whether_the_guest_can_be_told() -> None:
    host = hypervisor("KVM")
    for name in ("connected", "disconnected"):
        agent = f"<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='{name}'/></channel>"
        host.put(domain_xml(name, agent), active=True)
    site = Served([(platform("KVM"), host)])
    for name, expected in (("connected", True), ("disconnected", False)):
        guest = guest_named(site.site, platform("KVM"), name)
        assert guest is not None
        assert can_notify(guest) is expected
        shown = site.get("KVM_VirtualSystemSnapshotCapabilities", InstanceID=name).properties()
        assert shown["GuestOSNotificationEnabled"] is expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("KVM", [2, 3, 32768, 32769]), ("Test", [2, 32769]), ("LXC", [])],
)
def test_what_the_service_says_of_itself(prefix: str, expected: list[int]) -> None:
    assert prefix in PLATFORMS.prefixes
    site = Served([(platform(prefix), hypervisor(prefix))])
    shown = site.get(
        f"{prefix}_VirtualSystemSnapshotServiceCapabilities", InstanceID="SnapshotCapabilities"
    ).properties()
    assert shown["SnapshotTypesSupported"] == expected
    methods = [2, 3, 4] if expected else []
    assert shown["SynchronousMethodsSupported"] == shown["AynchronousMethodsSupported"] == methods


class _SilentGuest:
    """Stands for a guest whose agent falls silent while it freezes, which no guest can be made to do at once.

    Parameters:
        answers: what each attempt to thaw it raises; None for one that succeeds.
    """

    def __init__(self, *answers: libvirt.libvirtError | None) -> None:
        self.answers = list(answers)
        self.called: list[tuple[str, Any]] = []
        self.thawed = threading.Event()

    def agentSetResponseTimeout(self, seconds: int) -> None:
        self.called.append(("limit", seconds))

    def fsThaw(self) -> None:
        self.called.append(("thaw", None))
        answer = self.answers.pop(0)
        if not self.answers:
            self.thawed.set()
        if answer is not None:
            raise answer

    def fsFreeze(self) -> None:
        self.called.append(("freeze", None))
        raise refused_by_agent()

    def name(self) -> str:
        return "silent"

    def UUIDString(self) -> str:
        return "00000000-0000-0000-0000-000000000001"


class _SilentHost:
    """The context of that guest, and a connection to it."""

    def __init__(self, guest: _SilentGuest) -> None:
        self.guest = guest
        self.connections = self.inventory = self
        self.frozen = FrozenGuests()
        self.kept: list[bool] = []
        self.frozen.keep = lambda _uuid, is_frozen: self.kept.append(is_frozen)

    def connection(self) -> contextlib.nullcontext[_SilentHost]:
        return contextlib.nullcontext(self)

    def domain(self, name: str) -> None:
        return None

    domain_by_uuid = domain

    def lookupByUUIDString(self, uuid: str) -> _SilentGuest:
        assert uuid == self.guest.UUIDString()
        return self.guest


def test_a_guest_whose_agent_falls_silent_is_thawed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as it answers, however late that is: until then it has not done what it was asked for."""
    monkeypatch.setattr(freezing, "_THAW_INTERVAL", 0.001)
    silent = failure(libvirt.VIR_ERR_AGENT_UNRESPONSIVE, "the agent is still silent")
    guest: Any = _SilentGuest(silent, silent, None)
    host: Any = _SilentHost(guest)
    with pytest.raises(libvirt.libvirtError, match="no answer"), freezing.quiesced(host, guest):
        raise libvirt.libvirtError("no answer")
    (first, limit), *others = guest.called
    assert first == "limit"
    assert 0 < limit <= 60
    assert others[0] == ("thaw", None)
    assert ("limit", libvirt.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK) in others
    assert guest.thawed.wait(60)
    wait_until(lambda: host.kept == [True, False])
    quick: Any = _SilentGuest()
    with freezing.quiesced(host, quick):
        pass
    assert ("thaw", None) not in quick.called  # libvirt does that itself
    assert host.kept == [True, False] * 2


def test_a_guest_that_is_frozen_anew_is_left_to_whoever_did_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older attempt to thaw it, whose agent was silent, thaws nothing under the eyes of the new one."""
    monkeypatch.setattr(freezing, "_THAW_INTERVAL", 0.2)
    silent = failure(libvirt.VIR_ERR_AGENT_UNRESPONSIVE, "the agent is still silent")
    guest: Any = _SilentGuest(silent, None)
    host: Any = _SilentHost(guest)
    with pytest.raises(libvirt.libvirtError), freezing.quiesced(host, guest):
        raise libvirt.libvirtError("no answer")
    with freezing.quiesced(host, guest):
        wait_until(lambda: "thaw" not in {thread.name for thread in threading.enumerate()})
        assert guest.answers == [None]
        assert host.kept == [True, True]
    assert host.kept == [True, True, False]


def refused_by_agent() -> libvirt.libvirtError:
    """What libvirt 9.0 raises where the agent of QEMU 7.2 is asked to freeze a guest that is frozen."""
    text = (
        "internal error: unable to execute QEMU agent command 'guest-fsfreeze-freeze': "
        "Command guest-fsfreeze-freeze has been disabled: the agent is in frozen state"
    )
    return failure(libvirt.VIR_ERR_INTERNAL_ERROR, text)


@pytest.mark.parametrize("block", [freezing.frozen, freezing.quiesced])
def test_what_somebody_else_has_frozen_is_left_so(
    monkeypatch: pytest.MonkeyPatch, block: Callable[[Any, Any], Any]
) -> None:
    """And what was frozen late, for somebody who had lost patience, is thawed all the same."""
    guest: Any = _SilentGuest(None)
    host: Any = _SilentHost(guest)

    def refused() -> LibvirtError:
        with pytest.raises(LibvirtError, match="somebody else") as raised, block(host, guest):
            raise refused_by_agent()
        return raised.value

    assert refused().is_invalid_state
    assert ("thaw", None) not in guest.called
    assert host.kept == [True, False]
    host.frozen.begin(guest.UUIDString())
    refused()
    assert guest.called.count(("thaw", None)) == 1
    assert host.kept == [True, False, True, True, False]


def test_a_guest_that_was_frozen_when_the_server_was_killed_is_thawed_at_its_start(tmp_path: Path) -> None:
    """What stands on disk while it is frozen is what a process that is killed leaves behind."""

    def run(directory: Path, block: Callable[[Hypervisor], None]) -> None:
        store = SQLiteStore(directory / "state.db")
        hypervisor = Hypervisor("test:///default")
        hypervisor.start()
        assert hypervisor.wait_ready(60)
        FrozenRecords(store).follow(Site([(platform("Test"), hypervisor)], PLATFORMS, KINDS))
        try:
            block(hypervisor)
        finally:
            hypervisor.stop()
            store.close()

    def kept(directory: Path) -> list[str]:
        return [record.uri for _, record in read_table(directory / "state.db", "frozen guest", FrozenGuest)]

    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()

    def freeze(hypervisor: Hypervisor) -> None:
        with (
            hypervisor.connections.connection() as connection,
            freezing.frozen(hypervisor._context, connection.lookupByName("test")),
        ):
            shutil.copytree(before, after)
        wait_until(lambda: kept(before) == [])

    run(before, freeze)
    assert kept(after) == ["test:///default"]
    run(after, lambda _: wait_until(lambda: kept(after) == []))
