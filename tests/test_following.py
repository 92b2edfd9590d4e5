"""The server follows a real libvirtd whose guests are changed behind its back."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.bed import Libvirtd, Server, baseline_xml, wait_until
from tests.bed.server import class_parameter
from tests.bed.views import (
    DISABLED,
    ENABLED,
    NO_CONTACT,
    OFFLINE,
    QUIESCE,
    enabled_states,
    guest_instance,
    guest_keys,
    guest_path,
    instance_path,
    libvirt_states,
    operational_states,
    request_state,
)
from tests.conftest import Guests
from tests.test_clients import CLASSES, read_by_wbemcli, walk

#: No comparison comes in time: what libvirt announces shows without.
EVENTS_ALONE = "[inventory]\ninterval = 3600\n"

#: What libvirt does not announce shows by a comparison.
SHORT_INTERVAL = "[inventory]\ninterval = 1\n"


def agrees(server: Server, daemon: Libvirtd, driver: str = "qemu", class_name: str = "KVM_ComputerSystem") -> bool:
    """Whether the server shows what `virsh list --all` does."""
    return enabled_states(server, class_name) == libvirt_states(daemon, driver)


def test_names_and_states_follow_virsh(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    guests.baseline("there before")
    server = serve(libvirtd.uri(), config=EVENTS_ALONE)
    assert enabled_states(server) == {"there before": DISABLED}
    changes: list[tuple[Callable[[], object], dict[str, int]]] = [
        (lambda: guests.boot_sector("boot"), {"boot": DISABLED}),
        (lambda: libvirtd.virsh("start", "boot"), {"boot": ENABLED}),
        (lambda: libvirtd.virsh("suspend", "boot"), {"boot": QUIESCE}),
        (lambda: libvirtd.virsh("resume", "boot"), {"boot": ENABLED}),
        (lambda: libvirtd.virsh("reset", "boot"), {"boot": ENABLED}),
        (lambda: libvirtd.virsh("destroy", "boot"), {"boot": DISABLED}),
        (lambda: libvirtd.virsh("start", "boot", "--paused"), {"boot": QUIESCE}),
        (lambda: libvirtd.virsh("destroy", "boot"), {"boot": DISABLED}),
        (lambda: libvirtd.virsh("domrename", "boot", "renamed"), {"renamed": DISABLED}),
        (lambda: libvirtd.virsh("undefine", "renamed"), {}),
    ]
    for change, expected in changes:
        change()
        wait_until(lambda: agrees(server, libvirtd))
        assert enabled_states(server) == {"there before": DISABLED, **expected}


def test_transient_guest_leaves_with_its_end(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    server = serve(libvirtd.uri(), config=EVENTS_ALONE)
    guests.boot_sector("passing")
    libvirtd.virsh("start", "passing")
    libvirtd.virsh("undefine", "passing")
    wait_until(lambda: enabled_states(server) == {"passing": ENABLED})
    libvirtd.virsh("destroy", "passing")
    wait_until(lambda: enabled_states(server) == {})


def test_managed_save_is_enabled_but_offline(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    server = serve(libvirtd.uri(), config=EVENTS_ALONE)
    guests.boot_sector("saved")
    libvirtd.virsh("start", "saved")
    libvirtd.virsh("managedsave", "saved")
    wait_until(lambda: enabled_states(server) == {"saved": OFFLINE})
    assert request_state(server, "saved", 2) == 0
    assert enabled_states(server) == {"saved": ENABLED}
    assert libvirtd.list_all() == {"saved": "running"}


def test_guest_shut_down_from_inside(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    server = serve(libvirtd.uri(), config=EVENTS_ALONE)
    guests.boot_sector("boot")
    libvirtd.virsh("start", "boot")

    def pressed() -> bool:
        if libvirtd.list_all()["boot"] == "running":
            libvirtd.virsh("shutdown", "boot")  # a press before the guest is ready is lost
        return enabled_states(server) == {"boot": DISABLED}

    wait_until(pressed, interval=0.3)


def test_plugged_disk_shows(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    server = serve(libvirtd.uri(), config=EVENTS_ALONE)
    name = guests.boot_sector("boot")
    libvirtd.virsh("start", name)
    image = libvirtd.new_image()

    def disks() -> set[str]:
        with server.pywbem() as connection:
            return {path["DeviceID"] for path in connection.EnumerateInstanceNames("KVM_LogicalDisk")}

    wait_until(lambda: disks() == {"boot/vda"})
    libvirtd.virsh("attach-disk", name, str(image), "vdb", "--subdriver", "qcow2", "--live")
    wait_until(lambda: disks() == {"boot/vda", "boot/vdb"})


def test_changes_without_event(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    server = serve(libvirtd.uri(), config=SHORT_INTERVAL)
    name = guests.baseline("quiet")
    wait_until(lambda: agrees(server, libvirtd))

    def processors() -> int:
        with server.pywbem() as connection:
            allocation = connection.GetInstance(
                instance_path({"InstanceID": "quiet/proc"}, "KVM_ProcResourceAllocationSettingData")
            )
        return int(allocation["VirtualQuantity"])

    def autostart() -> int:
        with server.pywbem() as connection:
            settings = connection.GetInstance(
                instance_path({"InstanceID": "KVM:quiet"}, "KVM_VirtualSystemSettingData")
            )
        return int(settings["AutoStart"])

    assert processors() == 1
    assert autostart() == 0
    libvirtd.virsh("setvcpus", name, "3", "--maximum", "--config")
    libvirtd.virsh("setvcpus", name, "3", "--config")
    wait_until(lambda: processors() == 3)
    libvirtd.virsh("autostart", name)
    wait_until(lambda: autostart() == 1)


@pytest.mark.slow
def test_changes_without_event_in_the_default_interval(
    serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd
) -> None:
    name = guests.baseline("quiet")
    server = serve(libvirtd.uri())

    def autostart() -> int:
        with server.pywbem() as connection:
            settings = connection.GetInstance(
                instance_path({"InstanceID": "KVM:quiet"}, "KVM_VirtualSystemSettingData")
            )
        return int(settings["AutoStart"])

    assert autostart() == 0
    libvirtd.virsh("autostart", name)
    wait_until(lambda: autostart() == 1)
    libvirtd.virsh("autostart", name, "--disable")
    wait_until(lambda: autostart() == 0)


def test_request_state_change_reaches_libvirt(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    """Every transition: the return value, what libvirt says, and what the next read says."""
    server = serve(libvirtd.uri())
    guests.boot_sector("boot")
    wait_until(lambda: agrees(server, libvirtd))
    server.wbemcli("cm", guest_path("boot"), "RequestStateChange.RequestedState=2")
    assert libvirtd.list_all() == {"boot": "running"}
    assert enabled_states(server) == {"boot": ENABLED}
    for request, state, word in (
        (9, QUIESCE, "paused"),
        (2, ENABLED, "running"),
        (11, ENABLED, "running"),
        (6, OFFLINE, "shut off"),
        (2, ENABLED, "running"),
        (3, DISABLED, "shut off"),
    ):
        assert request_state(server, "boot", request) == 0, request
        assert enabled_states(server) == {"boot": state}, request
        assert libvirtd.list_all() == {"boot": word}, request
    assert request_state(server, "boot", 4) == 4097


def test_hypervisor_lost_and_found(serve: Callable[..., Server], new_libvirtd: Callable[[], Libvirtd]) -> None:
    daemon = new_libvirtd()
    own = Guests(daemon)
    own.boot_sector("runs")
    own.boot_sector("dies")
    own.baseline("rests")
    daemon.virsh("start", "runs")
    daemon.virsh("start", "dies")
    server = serve(daemon.uri())
    before = enabled_states(server)
    assert before == {"runs": ENABLED, "dies": ENABLED, "rests": DISABLED}
    emulator = int((daemon.directory / "run/libvirt/qemu/dies.pid").read_text())

    daemon.stop()
    lost = {name: [NO_CONTACT] for name in before}
    wait_until(lambda: operational_states(server) == lost)
    assert guest_instance(server, "runs")["OperationalStatus"] == [NO_CONTACT]
    os.kill(emulator, signal.SIGKILL)

    daemon.start()
    began = time.monotonic()
    wait_until(lambda: enabled_states(server) == {**before, "dies": DISABLED})
    wait_until(lambda: [NO_CONTACT] not in operational_states(server).values())
    print(f"true again after {time.monotonic() - began:.1f} s")

    daemon.virsh("suspend", "runs")
    wait_until(lambda: enabled_states(server)["runs"] == QUIESCE)
    daemon.kill()
    wait_until(lambda: operational_states(server) == lost)
    daemon.start()
    wait_until(lambda: agrees(server, daemon))


def test_hypervisor_that_comes_later(serve: Callable[..., Server], new_libvirtd: Callable[[], Libvirtd]) -> None:
    daemon = new_libvirtd()
    Guests(daemon).baseline("rests")
    daemon.stop()
    server = serve(daemon.uri(), config="startup_wait = 1\n")
    assert enabled_states(server) == {}
    daemon.start()
    wait_until(lambda: enabled_states(server) == {"rests": DISABLED})


def test_walk_over_running_and_resting_guests(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    guests.baseline("rests")
    libvirtd.virsh("start", guests.boot_sector("runs"))
    server = serve(libvirtd.uri())
    with server.pywbem() as connection:
        walk(connection, "KVM")


def test_allocations_of_the_baseline_guest(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    guests.baseline("nine")
    server = serve(libvirtd.uri())
    with server.pywbem() as connection:
        allocations = connection.EnumerateInstanceNames("KVM_ResourceAllocationSettingData")
    assert all(path["InstanceID"].startswith("nine/") for path in allocations)
    kinds = Counter(
        path.classname.removeprefix("KVM_").removesuffix("ResourceAllocationSettingData") for path in allocations
    )
    for unknown in ("Video", "Audio", "Balloon"):  # to libvirt-cim
        del kinds[unknown]
    assert kinds == {"Proc": 1, "Mem": 1, "Disk": 1, "Net": 1, "Graphics": 1, "Input": 2, "Controller": 2}


def test_containers_follow_virsh(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    server = serve(libvirtd.uri("lxc"), config=EVENTS_ALONE)
    name = guests.container("box")

    def agree() -> bool:
        return agrees(server, libvirtd, "lxc", "LXC_ComputerSystem")

    wait_until(agree)
    assert request_state(server, name, 2, "LXC_ComputerSystem") == 0
    assert libvirtd.list_all("lxc") == {"box": "running"}
    assert agree()
    libvirtd.virsh("suspend", name, driver="lxc")
    wait_until(lambda: enabled_states(server, "LXC_ComputerSystem") == {"box": QUIESCE})
    libvirtd.virsh("destroy", name, driver="lxc")
    wait_until(lambda: enabled_states(server, "LXC_ComputerSystem") == {"box": DISABLED})


def test_several_platforms_at_once(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    guests.baseline("machine")
    guests.container("box")
    server = serve(libvirtd.uri(), libvirtd.uri("lxc"), libvirtd.uri("test"))
    assert enabled_states(server, "Virt_ComputerSystem") == {"machine": DISABLED, "box": DISABLED, "test": ENABLED}
    assert enabled_states(server, "LXC_ComputerSystem") == {"box": DISABLED}


def test_hostile_names_of_real_guests(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    names = ["a&b", "<tag>", "quote\"d 'name'", "🙂 日本語", "back\\slash", "comma,equals=dot."]
    server = serve(libvirtd.uri(), config=EVENTS_ALONE)
    for name in names:
        guests.baseline(name, title=f"title of {name}", description=f"{name}\twith a tab\nand lines")
    wait_until(lambda: sorted(enabled_states(server)) == sorted(names))
    with server.client() as client:
        for name in names:
            assert guest_instance(server, name)["Name"] == name
            answer = client.invoke(
                "KVM_ComputerSystem", guest_keys(name), "RequestStateChange", {"RequestedState": "9"}
            )
            assert b"<VALUE>4097</VALUE>" in answer


def test_wbemcli_over_every_class(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    libvirtd.virsh("start", guests.baseline("runs"))
    server = serve(libvirtd.uri(), config=EVENTS_ALONE)
    for class_name in CLASSES:
        read_by_wbemcli(server, class_name.replace("Test_", "KVM_"))


def test_storm_of_changes(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    """Many changes at once, read all the while: no answer fails, and the last one is true."""
    server = serve(libvirtd.uri())
    source = random.Random(7)
    connection = libvirtd.connect()
    try:
        for _ in range(150):
            name = f"storm{source.randrange(12)}"
            existing = {domain.name(): domain for domain in connection.listAllDomains()}
            if name not in existing:
                connection.defineXML(baseline_xml(name))
            elif source.random() < 0.5:
                existing[name].undefine()
            else:
                existing[name].rename(f"storm{source.randrange(100, 1000)}")
            assert set(enabled_states(server).values()) <= {DISABLED}
    finally:
        connection.close()
    wait_until(lambda: agrees(server, libvirtd))


def test_stuck_guest_stalls_nobody(serve: Callable[..., Server], guests: Guests, libvirtd: Libvirtd) -> None:
    """QEMU that does not answer, as long as this goes on: reading asks it nothing, and other guests are followed."""
    libvirtd.virsh("start", guests.boot_sector("stuck"))
    libvirtd.virsh("start", guests.boot_sector("other"))
    server = serve(libvirtd.uri(), config=SHORT_INTERVAL)
    emulator = int((libvirtd.directory / "run/libvirt/qemu/stuck.pid").read_text())
    os.kill(emulator, signal.SIGSTOP)
    try:
        time.sleep(2)  # two comparisons begin, and wait for QEMU
        for class_name in ("KVM_ComputerSystem", "KVM_ResourceAllocationSettingData", "CIM_LogicalDevice"):
            with server.client() as client:
                client.call("EnumerateInstances", class_parameter("ClassName", class_name))
        libvirtd.virsh("suspend", "other")
        wait_until(lambda: enabled_states(server)["other"] == QUIESCE)
        libvirtd.virsh("undefine", "other")
        libvirtd.virsh("destroy", "other")
        wait_until(lambda: "other" not in enabled_states(server))
    finally:
        os.kill(emulator, signal.SIGCONT)
