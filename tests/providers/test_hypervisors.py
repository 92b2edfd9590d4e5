"""The providers on real hypervisors: a QEMU guest and a container of a private libvirtd."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bed import Libvirtd, wait_until
from tests.conftest import Guests
from tests.providers.outcome import outcome
from tests.providers.recorded import CONTEXT, Served, platform
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings


class Real(Served):
    """A site on one driver of the private libvirtd."""

    def __init__(self, daemon: Libvirtd, prefix: str, driver: str) -> None:
        self.prefix = prefix
        self.hypervisor = Hypervisor(daemon.uri(driver), HypervisorSettings(interval=0.5))
        self.hypervisor.start()
        assert self.hypervisor.wait_ready(60)
        super().__init__([(platform(prefix), self.hypervisor)])

    def request(self, name: str, state: int) -> int:
        class_name = f"{self.prefix}_ComputerSystem"
        keys = {"CreationClassName": class_name, "Name": name}
        result = self.providers[class_name].invoke_method(
            class_name, keys, "RequestStateChange", {"RequestedState": state}, CONTEXT
        )
        return int(outcome(result).return_value)

    def until(self, name: str, **expected: Any) -> None:
        """Wait until the guest shows these properties."""
        deadline = time.monotonic() + 60
        while True:
            shown = {key: self.guest(name, self.prefix).get(key) for key in expected}
            if shown == expected:
                return
            assert time.monotonic() < deadline, shown
            time.sleep(0.02)


@pytest.fixture
def kvm(libvirtd: Libvirtd, guests: Guests) -> Iterator[Real]:
    guests.boot_sector("boot")
    made = Real(libvirtd, "KVM", "qemu")
    yield made
    made.hypervisor.stop()


@pytest.fixture
def lxc(libvirtd: Libvirtd, guests: Guests) -> Iterator[Real]:
    guests.container("box")
    made = Real(libvirtd, "LXC", "lxc")
    yield made
    made.hypervisor.stop()


def test_a_qemu_guest_through_its_states(kvm: Real, libvirtd: Libvirtd) -> None:
    for request, state, word in (
        (2, 2, "running"),
        (9, 9, "paused"),
        (11, 2, "running"),
        (9, 9, "paused"),
        (6, 6, "shut off"),
        (2, 2, "running"),
        (6, 6, "shut off"),
        (3, 3, "shut off"),
        (2, 2, "running"),
        (11, 2, "running"),
    ):
        assert kvm.request("boot", request) == 0, request
        values = kvm.guest("boot")
        assert (values["EnabledState"], values["RequestedState"]) == (state, request)
        assert libvirtd.list_all() == {"boot": word}
    time.sleep(4)  # a press of the power button is lost before the guest is ready
    assert kvm.request("boot", 10) == 0
    assert kvm.guest("boot")["EnabledState"] == 2
    time.sleep(4)
    assert kvm.request("boot", 4) == 0
    assert libvirtd.list_all() == {"boot": "shut off"}
    kvm.until("boot", EnabledState=3, OperationalStatus=[10], RequestedState=4)
    assert "urn:virtcim:requested-state" in libvirtd.virsh("dumpxml", "boot")


def test_consoles_and_passwords_of_a_running_guest(libvirtd: Libvirtd, guests: Guests) -> None:
    name = guests.baseline("shown")
    xml = libvirtd.virsh("dumpxml", name, "--inactive").replace(
        "<graphics type='vnc' port='-1' autoport='yes'", "<graphics type='vnc' port='-1' autoport='yes' passwd='hush'"
    )
    libvirtd.define(xml)
    site = Real(libvirtd, "KVM", "qemu")
    try:
        site.until(name, Caption=f"Virtual System (Console on vnc://{site.hypervisor.hostname})")
        assert site.request(name, 2) == 0
        caption = site.guest(name)["Caption"]
        assert re.fullmatch(rf"Virtual System \(Console on vnc://{site.hypervisor.hostname}:\d+\)", caption)
        port = caption.rpartition(":")[2].rstrip(")")
        setting = site.setting("Graphics", name, "vnc")
        assert setting["Address"] == f"127.0.0.1:{port}"
        assert setting["Password"] == "********"
        assert site.device("DisplayController", name, "vnc")["VideoProcessor"] == f"vnc/127.0.0.1:{port}"
        assert "hush" not in repr([dict(instance.properties()) for instance in site.everything()])
        assert site.request(name, 3) == 0
    finally:
        site.hypervisor.stop()


def test_every_device_of_a_real_guest_has_a_setting(kvm: Real, classes: Any) -> None:
    assert kvm.request("boot", 2) == 0
    # The size of a disk is measured a moment after the start.
    wait_until(lambda: (found := kvm.hypervisor.inventory.domain("boot")) is not None and found.capacities)
    everything = kvm.everything()
    assert len({(i.class_name, i.identity) for i in everything}) == len(everything)
    for instance in everything:
        declared = classes[instance.class_name].properties
        assert all(declared[name.lower()].name == name for name in instance.properties())
        assert kvm.get(instance.class_name, **instance.keys()).properties() == instance.properties()
    assert kvm.request("boot", 3) == 0


@pytest.mark.lxc
def test_a_container_through_its_states(lxc: Real, libvirtd: Libvirtd) -> None:
    offered = {3: [2], 2: [3, 4, 9, 10, 11], 9: [2, 3, 11]}
    for request, state in ((2, 2), (9, 9), (2, 2), (11, 2), (4, 3), (2, 2), (3, 3)):
        if request == 4:
            time.sleep(0.3)  # until the container's init listens
        assert lxc.request("box", request) == 0, request
        values = lxc.guest("box", "LXC")
        assert values["EnabledState"] == state
        assert values["AvailableRequestedStates"] == offered[state]
    assert lxc.request("box", 6) == 1
    assert libvirtd.list_all("lxc") == {"box": "shut off"}
