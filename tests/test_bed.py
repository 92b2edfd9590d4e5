"""The bed itself: what all other tests stand on."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bed import Libvirtd, wait_until
from tests.bed.guests import READY, boot_sector_xml
from tests.conftest import Guests
from tests.indications.parts import Scripted


def test_daemon_has_a_host_uuid_of_its_own(libvirtd: Libvirtd) -> None:
    assert f"<uuid>{libvirtd.host_uuid}</uuid>" in libvirtd.virsh("capabilities")


def test_a_listener_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    listener = Scripted()
    with socket.create_connection(("127.0.0.1", listener.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        wait_until(lambda: listener.connections == 1)
        listener.close()
        wait_until(lambda: set(threading.enumerate()) <= before)


def test_test_driver_in_the_daemon(libvirtd: Libvirtd) -> None:
    assert libvirtd.list_all("test") == {"test": "running"}


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_boot_sector_guest_answers_the_power_button(guests: Guests, libvirtd: Libvirtd, machine: str) -> None:
    log = libvirtd.directory / f"{machine}.log"
    libvirtd.define(boot_sector_xml("boot", libvirtd.new_image(), machine=machine, console_log=log))
    libvirtd.virsh("start", "boot")
    assert libvirtd.list_all() == {"boot": "running"}
    wait_until(lambda: log.exists() and READY in log.read_text())
    libvirtd.virsh("shutdown", "boot")
    wait_until(lambda: libvirtd.list_all() == {"boot": "shut off"})


def test_container(guests: Guests, libvirtd: Libvirtd) -> None:
    name = guests.container("box")
    libvirtd.virsh("start", name, driver="lxc")
    assert libvirtd.list_all("lxc") == {"box": "running"}
    libvirtd.virsh("shutdown", "--mode", "signal", name, driver="lxc")
    wait_until(lambda: libvirtd.list_all("lxc") == {"box": "shut off"})


def test_guests_outlive_the_daemon_and_end_with_the_bed(new_libvirtd: Callable[[], Libvirtd]) -> None:
    daemon = new_libvirtd()
    other = new_libvirtd()
    daemon.define(boot_sector_xml("survivor", daemon.new_image()))
    daemon.virsh("start", "survivor")
    emulator = int((daemon.directory / "run/libvirt/qemu/survivor.pid").read_text())
    daemon.restart()
    assert daemon.list_all() == {"survivor": "running"}
    daemon.kill()
    with pytest.raises(subprocess.CalledProcessError):
        daemon.virsh("list")
    daemon.start()
    assert daemon.list_all() == {"survivor": "running"}
    assert other.list_all() == {}
    daemon.close()
    assert not Path(f"/proc/{emulator}").exists()
    assert not daemon.directory.exists()
