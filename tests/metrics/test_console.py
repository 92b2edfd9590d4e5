"""Serial consoles: their access points, and `virtcim console` with a guest that writes."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import libvirt
import pytest

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.guests import READY, boot_sector_xml
from tests.frontends.client import basic
from tests.providers.recorded import CONTEXT, domain_xml, served
from virtcim.libhelper.console import MOST_UNREAD, SerialConsole
from virtcim.providers.interface import CIMError, Status

SAP = "KVM_TextRedirectionSAP"
SERIAL = "<serial type='pty'><source path='/dev/pts/{0}'/><target port='{0}'/></serial>"
CONSOLE = "<console type='pty' tty='/dev/pts/0'><source path='/dev/pts/0'/><target type='serial' port='0'/></console>"
COMMAND = [sys.executable, "-m", "virtcim.app.main", "console"]
NAME, SCREEN = "vcconsole", "vcscreen"
PATIENCE = 60.0

#: A boot sector that writes "x" on the first serial port for ever: movw $0x3f8, %dx; movb $'x', %al; 1: outb %al, %dx;
#: jmp 1b
WRITES_ON = bytes.fromhex("ba f8 03 b0 78 ee eb fd")


def test_consoles_and_further_serial_ports_are_access_points() -> None:
    site = served("KVM", domain_xml("g", SERIAL.format(0) + SERIAL.format(1) + CONSOLE), active=True)
    found = {str(each["Name"]): each for each in (each.properties() for each in site.instances(SAP))}
    assert list(found) == ["charconsole:0", "serial:1"]
    assert found["charconsole:0"]["Description"] == "/dev/pts/0"
    assert found["serial:1"]["Description"] == "/dev/pts/1"
    assert {each["EnabledState"] for each in found.values()} == {2}
    assert {each["TextFlowType"] for each in found.values()} == {2}


@pytest.mark.parametrize(("changes", "state", "status"), [({}, 3, 10), ({"active": True, "contact": False}, 0, 12)])
def test_a_console_that_cannot_be_opened(changes: dict[str, object], state: int, status: int) -> None:
    [point] = served("KVM", domain_xml("g", "<console type='pty'/>"), **changes).instances(SAP)
    assert point.properties()["EnabledState"] == state
    assert point.properties()["OperationalStatus"] == [status]


def test_access_points_are_found_by_key_and_from_guest_and_host() -> None:
    site = served("KVM", domain_xml("g", CONSOLE), active=True)
    [point] = site.instances(SAP)
    assert site.get(SAP, **point.keys()).identity == point.identity
    for other in ({"Name": "none"}, {"SystemName": "none"}):
        with pytest.raises(CIMError) as caught:
            site.get(SAP, **{**point.keys(), **other})
        assert caught.value.status is Status.NOT_FOUND
    associations = {each.class_names[0]: each for each in site.catalog.associations["root/virt"]}
    [system] = associations["KVM_SAPAvailableForElement"].to_right(point, CONTEXT)
    assert system.keys()["Name"] == "g"
    [host] = associations["KVM_HostedAccessPoint"].to_left(point, CONTEXT)
    assert host.class_name == "KVM_HostSystem"


@pytest.fixture(scope="module")
def guest(libvirtd: Libvirtd) -> Iterator[str]:
    """The URI of a daemon with a guest that runs and writes to its console."""
    # Where the daemon keeps the locks of terminals: the bed's /run begins empty.
    subprocess.run(["nsenter", f"--mount={libvirtd.namespace}", "mkdir", "-p", "/run/lock"], check=True)
    libvirtd.define(boot_sector_xml(NAME, libvirtd.new_image()))
    yield libvirtd.uri()
    libvirtd.remove_domains()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE, stdin=subprocess.DEVNULL
    )


def test_what_is_printed(guest: str) -> None:
    done = run(NAME, "--uri", guest, "--print")
    assert done.returncode == 0, done.stderr
    assert f"virsh -c '{guest}' console {NAME}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((NAME,), "does not run"), (("nobody",), "no guest of this name"), ((NAME, "--graphical"), "does not run")],
)
def test_what_cannot_be_opened(guest: str, arguments: tuple[str, ...], text: str) -> None:
    done = run(*arguments, "--uri", guest)
    assert done.returncode == 1
    assert text in done.stderr


def test_the_console_in_a_terminal(guest: str, libvirtd: Libvirtd) -> None:
    """What the guest writes is shown, and Ctrl-] leaves it running."""
    libvirtd.virsh("start", NAME)
    child, terminal = pty.fork()
    if child == 0:
        os.execv(COMMAND[0], [*COMMAND, NAME, "--uri", guest])
    try:
        shown = read_until(terminal, b"Ctrl-]")
        libvirtd.virsh("reset", NAME)
        shown += read_until(terminal, READY.encode())
        os.write(terminal, b"\x1d")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
        child = 0
    finally:
        if child:
            os.kill(child, 9)
            os.waitpid(child, 0)
        os.close(terminal)
    assert "running" in libvirtd.virsh("domstate", NAME)


def test_consoles_by_websocket(guest: str, libvirtd: Libvirtd) -> None:
    """A browser shows what the guest writes, and its screen, both at once."""
    libvirtd.define(boot_sector_xml(SCREEN, libvirtd.new_image()))
    libvirtd.virsh("start", SCREEN)
    with Server(guest) as server:
        place = f"/api/namespaces/root%2Fvirt/consoles/{SCREEN}"
        authorization = basic(str(server.user), server.password)
        headers = {"Authorization": authorization, "X-Virtcim-Request": "1", "Content-Type": "application/json"}

        async def opened(session: aiohttp.ClientSession, kind: str) -> aiohttp.ClientWebSocketResponse:
            async with session.post(f"{server.url}{place}/{kind}/tickets") as answer:
                assert answer.status == 201, await answer.text()
                target = (await answer.json())["href"]
            return await session.ws_connect(f"{server.url}{target}", protocols=("binary",))

        async def run() -> None:
            async with aiohttp.ClientSession(headers=headers) as session, asyncio.timeout(PATIENCE):
                serial = await opened(session, "serial")
                screen = await opened(session, "vnc")
                assert (await screen.receive_bytes()).startswith(b"RFB 003.00")
                await screen.send_bytes(b"RFB 003.008\n")
                # How many ways of authentication there are, and which: none but "None".
                assert await screen.receive_bytes() == b"\x01\x01"
                await asyncio.to_thread(libvirtd.virsh, "reset", SCREEN)
                shown = b""
                while READY.encode() not in shown:
                    shown += await serial.receive_bytes()
                await asyncio.to_thread(libvirtd.virsh, "destroy", SCREEN)
                for each in (serial, screen):
                    async for _ in each:
                        pass
                    assert each.closed
                told: dict[str, Any] = {}
                while "message" not in told:
                    async with session.post(f"{server.url}{place}/vnc/tickets") as answer:
                        told = await answer.json()
                assert "does not run" in told["message"]

        asyncio.run(run())


def test_a_console_that_is_not_read_keeps_what_was_written_last(libvirtd: Libvirtd, guest: str) -> None:
    """A guest writes without end, and nobody reads: what is kept is bounded, and it goes on when somebody does."""
    image = libvirtd.new_image()
    image.write_bytes(WRITES_ON.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    libvirtd.define(boot_sector_xml("vcflood", image).replace("type='qcow2'", "type='raw'"))
    libvirtd.virsh("start", "vcflood")
    connection = libvirt.open(guest)
    identity = connection.lookupByName("vcflood").UUIDString()
    connection.close()
    with SerialConsole(guest, identity) as console:
        wait_until(lambda: console.left_out > MOST_UNREAD)
        libvirtd.virsh("suspend", "vcflood")
        told = -1
        while told != console.left_out:  # until all that was on the way has come
            told = console.left_out
            time.sleep(0.5)
        kept = b""
        while piece := console.read(timeout=1):
            kept += piece
        assert MOST_UNREAD // 2 < len(kept) <= MOST_UNREAD
        libvirtd.virsh("resume", "vcflood")
        assert console.read(timeout=PATIENCE)
        libvirtd.virsh("destroy", "vcflood")
        wait_until(lambda: console.read(timeout=PATIENCE) == b"")


def read_until(terminal: int, wanted: bytes) -> bytes:
    """Read what a terminal shows until something is in it."""
    shown, deadline = b"", time.monotonic() + PATIENCE
    while wanted not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.5)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError as error:
                raise AssertionError(f"ended: {shown!r}") from error
    return shown
