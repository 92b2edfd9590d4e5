"""Alerts: from libvirt's events, and from a hypervisor that goes and comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import bcrypt
import libvirt
import pytest

from tests.bed import Libvirtd, Server
from tests.bed.guests import boot_sector_xml
from tests.bed.listener import Listener, subscribed
from tests.bed.server import wait_until
from tests.conftest import Guests
from tests.frontends.client import Client, Follower, basic
from virtcim.libhelper.events import Event
from virtcim.libhelper.troubles import TroubleKind, trouble_of
from virtcim.providers.lifecycle.alerts import MEANINGS

ALERTS = "SELECT * FROM CIM_AlertIndication"
CHANGES = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"


@pytest.mark.parametrize(
    ("name", "detail", "kind", "words"),
    [
        ("io-error", ("/a", "virtio-disk0", 1, "enospc"), TroubleKind.IO_ERROR, "on /a (enospc): the guest is paused"),
        ("io-error", ("/a", "virtio-disk0", 9, ""), TroubleKind.IO_ERROR, "on /a: the guest 9"),
        ("watchdog", (libvirt.VIR_DOMAIN_EVENT_WATCHDOG_RESET,), TroubleKind.WATCHDOG, "it was reset"),
        ("block-threshold", ("vda", "/a", 100, 7), TroubleKind.THRESHOLD, "vda (/a) is written 7 bytes beyond 100"),
        ("memory-failure", (0, 0, 0), TroubleKind.MEMORY_FAILURE, "memory of the host"),
        ("device-removal-failed", ("net0",), TroubleKind.REMOVAL_FAILED, "net0"),
        ("control-error", (), TroubleKind.CONTROL_ERROR, "lost control"),
        ("lifecycle", (libvirt.VIR_DOMAIN_EVENT_CRASHED, 0), TroubleKind.PANIC, "panicked"),
        (
            "lifecycle",
            (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED),
            TroubleKind.CRASH,
            "crashed",
        ),
        ("lifecycle", (libvirt.VIR_DOMAIN_EVENT_STARTED, 0), None, ""),
        ("lifecycle", (libvirt.VIR_DOMAIN_EVENT_STOPPED, 0), None, ""),
        ("balloon-change", (1,), None, ""),
    ],
)
def test_trouble_is_told_from_what_is_none(
    name: str, detail: tuple[Any, ...], kind: TroubleKind | None, words: str
) -> None:
    trouble = trouble_of(Event("domain", name, "uuid", "guest", detail))
    if kind is None:
        assert trouble is None
    else:
        assert trouble is not None
        assert trouble.kind is kind
        assert words in trouble.text


def test_each_kind_of_trouble_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(TroubleKind)
    assert len({each.message for each in MEANINGS.values()}) == len(MEANINGS)


def test_an_emulator_that_is_killed_is_an_alert_and_a_change(
    libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]
) -> None:
    guests.boot_sector("killed")
    libvirtd.virsh("start", "killed")
    server = serve(libvirtd.uri())
    with Listener() as listener, subscribed(server, listener, ALERTS, CHANGES):
        pid = int((libvirtd.directory / "run/libvirt/qemu/killed.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        alert = listener.wait(lambda each: each.classname == "CIM_AlertIndication")
        listener.wait(lambda each: each.get("SourceInstance") and each["SourceInstance"]["EnabledState"] == 3)
    assert alert["MessageID"] in {"VIRT0005", "VIRT0006"}
    assert alert["PerceivedSeverity"] == 6
    assert alert["AlertingManagedElement"] == (
        '/root/virt:KVM_ComputerSystem.CreationClassName="KVM_ComputerSystem",Name="killed"'
    )
    assert alert["AlertingElementFormat"] == 2
    assert "killed" in alert["Message"]


def is_of_end(alert: dict[str, Any]) -> bool:
    """Whether an alert tells that a guest has ended by itself."""
    return alert["properties"]["MessageID"] in {"VIRT0005", "VIRT0006"}


def test_who_comes_after_an_alert_is_told_of_it(
    libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]
) -> None:
    guests.boot_sector("killed")
    libvirtd.virsh("start", "killed")
    server = serve(libvirtd.uri())
    assert server.user is not None
    client = Client(server.port, {"Authorization": basic(server.user, server.password)})
    wait_until(lambda: client.get("/api/namespaces/root%2Fvirt/summary?columns=EnabledState")["rows"] == [[2]])
    assert client.get("/api/alerts") == {"alerts": []}
    os.kill(int((libvirtd.directory / "run/libvirt/qemu/killed.pid").read_text()), signal.SIGKILL)
    # libvirt may lose its connection to the emulator before it knows that this has ended.
    alert = wait_until(lambda: next(filter(is_of_end, client.get("/api/alerts")["alerts"]), None))
    assert (alert["kind"], alert["namespace"]) == ("alert", "root/virt")
    assert "killed" in alert["properties"]["Message"]


NEAR, SECRET = "near", "near"
"""A user who may read one node, and not the other one."""

ROLES = """
[roles]
read = []
operate = []
administer = ["bed"]
[roles.namespaces."root/virt/far"]
read = ["near"]
[node.far]
uris = ["test:///default"]
"""
FAR = "/api/namespaces/root%2Fvirt%2Ffar/instances/Test_ComputerSystem/CreationClassName=Test_ComputerSystem,Name=test"


def test_who_may_not_read_a_namespace_is_told_of_no_alert_there(libvirtd: Libvirtd, guests: Guests) -> None:
    guests.boot_sector("killed")
    libvirtd.virsh("start", "killed")
    server = Server(libvirtd.uri(), config=ROLES)
    with (server.directory / "htpasswd").open("a") as users:
        users.write(f"{NEAR}:{bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(4)).decode()}\n")
    with server:
        assert server.user is not None
        ours = Client(server.port, {"Authorization": basic(server.user, server.password)})
        theirs = Client(server.port, {"Authorization": basic(NEAR, SECRET)})
        wait_until(lambda: ours.get("/api/namespaces/root%2Fvirt/summary?columns=EnabledState")["rows"] == [[2]])
        wait_until(lambda: theirs.ask("GET", FAR).status == 200)
        streams = [Follower(each) for each in (ours, theirs)]
        os.kill(int((libvirtd.directory / "run/libvirt/qemu/killed.pid").read_text()), signal.SIGKILL)
        assert any(kind == "alert" for kind, _ in streams[0])
        assert [each["namespace"] for each in ours.get("/api/alerts")["alerts"]] == ["root/virt"]
        assert theirs.get("/api/alerts") == {"alerts": []}
        # What comes behind the alert, and may be read, is the first that the stream has.
        ours.ask("POST", f"{FAR}/methods/RequestStateChange", {"parameters": {"RequestedState": 9}})
        assert streams[1].next()[1]["namespace"] == "root/virt/far"
        for each in streams:
            each.close()


PANICKING = bytes.fromhex("ba0505 b001 ee f4 ebfd")
"""mov dx, 0x505; mov al, 1; out dx, al; hlt: what an operating system that panics tells QEMU's device for that."""


def test_a_guest_that_panics_is_an_alert_and_a_change(
    libvirtd: Libvirtd, guests: Guests, serve: Callable[..., Server]
) -> None:
    image = libvirtd.new_image().with_suffix(".raw")
    image.write_bytes(PANICKING.ljust(510, b"\0") + b"\x55\xaa" + bytes((1 << 20) - 512))
    xml = boot_sector_xml("panics", image).replace("type='qcow2'", "type='raw'")
    libvirtd.define(xml.replace("<memballoon", "<panic model='isa'/><memballoon"))
    server = serve(libvirtd.uri())
    with Listener() as listener, subscribed(server, listener, ALERTS, CHANGES):
        libvirtd.virsh("start", "panics")
        alert = listener.wait(lambda each: each.get("MessageID") == "VIRT0004")
        listener.wait(
            lambda each: (
                each.get("SourceInstance")
                and each["SourceInstance"]["EnabledState"] == 3
                and each["PreviousInstance"]["EnabledState"] != 3
            )
        )
        told = list(listener.received)
    assert alert["PerceivedSeverity"] == 6
    assert alert["AlertingManagedElement"].endswith('Name="panics"')
    assert [each.get("MessageID") for each in told].count("VIRT0004") == 1


def test_a_hypervisor_that_goes_and_comes(new_libvirtd: Callable[[], Libvirtd], serve: Callable[..., Server]) -> None:
    daemon = new_libvirtd()
    guests = Guests(daemon)
    guests.boot_sector("stays")
    guests.boot_sector("changes")
    server = serve(daemon.uri())
    with Listener() as listener, subscribed(server, listener, ALERTS, CHANGES):
        daemon.stop()
        listener.wait(lambda each: each.get("MessageID") == "VIRT0010")
        definition = daemon.xml_directory / "changes.xml"
        definition.write_text(
            definition.read_text().replace("<name>changes</name>", "<name>changes</name>\n<title>t</title>")
        )
        daemon.start()
        listener.wait(lambda each: each.get("MessageID") == "VIRT0012")
        daemon.virsh("start", "stays")
        listener.wait(lambda each: each.get("SourceInstance") and each["SourceInstance"]["EnabledState"] == 2)
        told = list(listener.received)
    messages = [each["MessageID"] for each in told if each.classname == "CIM_AlertIndication"]
    assert messages == ["VIRT0010", "VIRT0011", "VIRT0012"]
    # Nothing is told of what is as it was, though nobody could look for a time.
    indicated = [each for each in told if each.get("SourceInstance")]
    assert {"KVM_ComputerSystem", "KVM_HostSystem"} == {each["SourceInstance"].classname for each in indicated}
    changes = [each for each in indicated if each["SourceInstance"].classname == "KVM_ComputerSystem"]
    assert changes[0]["PreviousInstance"]["EnabledState"] == 3 or changes[0]["SourceInstance"]["Name"] == "changes"
    assert not any(
        0 in (each["SourceInstance"]["EnabledState"], each["PreviousInstance"]["EnabledState"]) for each in changes
    )
