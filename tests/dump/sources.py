"""The hosts that are dumped, each served by a given tree."""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.bed.fullhost import full_host, start_container
from tests.dump import recorded_libvirt
from tests.dump.facts import Shown
from tests.dump.trees import Tree
from tests.dump.volatile import Volatile, lines_of
from tests.providers import poolhost, rareguest
from tests.providers.recorded import DOMAINS, domain_xml
from tests.walk import Wire

__all__ = ["SOURCES", "await_guests", "dump"]

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000


CONFIG = """\
[server]
host_name = "server.example.org"
[providers.jobs]
grace = 0.0
"""
"""The host in object paths is the same everywhere, and whatever may become a job becomes one."""

COMPLETED, STARTED = 7, 4096

SETTLE = 60.0
"""Seconds until a server must show twice the same: it reads volumes, disks and capabilities after its start."""


@dataclass(frozen=True, slots=True)
class Source:
    """A host under service.

    Attributes:
        server: it runs.
        platforms: the prefixes of those of which it has guests.
        volatile: what no two such hosts have alike.
    """

    server: Server
    platforms: tuple[str, ...]
    volatile: tuple[Volatile, ...] = ()


def dump(source: str, tree: Tree) -> list[str]:
    """Serve a host with a tree and write down all that is shown.

    Parameters:
        source: one of `SOURCES`.

    Returns:
        sorted lines, each a subject, a tab, and what is said of it.

    Raises:
        AssertionError: the tree shows no guests of a platform that has some, or never twice the same.
    """
    with SOURCES[source](tree) as served, Wire(served.server.login_url) as wire:
        await_guests(wire, served.platforms)
        shown = Shown(wire)
        wait_until(lambda: _instances(shown, served) == _instances(shown, served), SETTLE, interval=0.5)
        return lines_of(shown.everything(), served.volatile)


def await_guests(wire: Wire, platforms: Iterable[str], timeout: float = SETTLE) -> None:
    """Wait until a server shows guests of each of these platforms: what reaches no hypervisor shows the same each time,
    too, and would be held for a host without guests.

    Raises:
        AssertionError: it does not within the timeout; the text names the platforms.
    """
    wanted = {f"{prefix}_ComputerSystem" for prefix in platforms}
    missing = set(wanted)

    def are_shown() -> bool:
        missing.clear()
        missing.update(wanted - {each.class_name for each in wire.instances("root/virt", "CIM_ComputerSystem")})
        return not missing

    try:
        wait_until(are_shown, timeout, interval=0.5)
    except AssertionError:
        raise AssertionError(f"no {', '.join(sorted(missing))} is shown; expected some of each") from None


def _instances(shown: Shown, served: Source) -> list[str]:
    return lines_of(shown.instances(), served.volatile)


@contextmanager
def recorded_corpus(tree: Tree) -> Iterator[Source]:
    """The recorded domains and a host with everything that pools are made of, on each platform what belongs there."""
    with tempfile.TemporaryDirectory(prefix="virtcim-server-") as directory:
        file = Path(directory, "hosts.json")
        hosts = recorded_hosts()
        file.write_text(json.dumps(hosts), encoding="utf-8")
        # A URI with a socket: local, and with none of this machine's directories to watch.
        uris = [f"{driver}+unix:///default?socket=/run/recorded/libvirt-sock" for driver in hosts]
        launcher = [str(Path(recorded_libvirt.__file__).resolve()), str(file)]
        with tree.server(*uris, launcher=launcher, config=CONFIG) as server:
            yield Source(server, ("KVM", "Xen", "LXC", "Test"))


def recorded_hosts() -> dict[str, dict[str, Any]]:
    """What `recorded_libvirt` reads: a host for each driver."""
    hosts = {driver: _empty_host(kind) for driver, kind in _TYPES.items()}
    for file in sorted(DOMAINS.glob("*.xml")):
        xml = file.read_text(encoding="utf-8")
        driver = _DRIVERS[ElementTree.fromstring(xml).get("type", "")]
        hosts[driver]["domains"].append(_guest(xml, running="running" in file.name))
    definitions = DOMAINS.parent / "definitions"
    live, defined = ((definitions / f"rich-{which}.xml").read_text(encoding="utf-8") for which in ("live", "defined"))
    redefined = defined.replace("</devices>", "<hub type='usb'/></devices>").replace("current='1'>4", "current='2'>4")
    hosts["qemu"]["domains"] += [
        {"live": live, "defined": redefined},
        _guest(domain_xml("rare", rareguest.CONSOLES, rest=rareguest.SHARES), running=True),
    ]
    hosts["qemu"] |= {
        "info": ["x86_64", poolhost.FACTS.node.memory // 1024, poolhost.FACTS.node.cpus, 2600, 2, 1, 2, 1],
        "capabilities": poolhost.CAPABILITIES,
        "domain_capabilities": poolhost.DOMAIN_CAPABILITIES,
        "storage_capabilities": poolhost.STORAGE_CAPABILITIES,
        "sysinfo": rareguest.SYSINFO,
        "max_vcpus": poolhost.FACTS.max_vcpus,
        "networks": [
            {"xml": xml, "active": xml is not poolhost.ISOLATED}
            for xml in (poolhost.NAT, poolhost.ISOLATED, poolhost.DEVICES, poolhost.DIRECT, poolhost.NAMED_ZERO)
        ],
        "pools": [
            {"xml": poolhost.DIRECTORY, "active": True, "volumes": poolhost.VOLUMES},
            {"xml": poolhost.ISCSI, "active": True, "volumes": ()},
            {"xml": poolhost.GROUP, "active": True, "volumes": ()},
            {"xml": poolhost.NFS, "active": False, "volumes": ()},
            {"xml": rareguest.LAYERS, "active": True, "volumes": (rareguest.LAYERED,)},
        ],
        "node_devices": poolhost.NODE_DEVICES,
        "filters": (*poolhost.FILTERS, rareguest.FILTER),
    }
    return hosts


_TYPES = {"qemu": "QEMU", "xen": "Xen", "lxc": "LXC", "test": "TEST"}

_DRIVERS = {"kvm": "qemu", "qemu": "qemu", "xen": "xen", "lxc": "lxc", "test": "test"}


def _empty_host(kind: str) -> dict[str, Any]:
    texts = ("capabilities", "domain_capabilities", "storage_capabilities", "sysinfo")
    lists = ("domains", "networks", "pools", "node_devices", "filters")
    return {
        "type": kind,
        "hostname": "node.example.org",
        "info": ["x86_64", 8192, 4, 2000, 1, 1, 4, 1],
        "version": 7_002_000,
        "library_version": 9_000_000,
        "max_vcpus": 0,
        **dict.fromkeys(texts, ""),
        **{name: [] for name in lists},
    }


def _guest(xml: str, running: bool) -> dict[str, str | None]:
    return {"live": xml if running else None, "defined": xml}


@contextmanager
def real_host(tree: Tree) -> Iterator[Source]:
    """A libvirtd with QEMU guests and a container that use every kind of device.

    Its network is its own, so that the numbers of its ports and interfaces are the same each time.  This process gets
    into that network, too, and does not come out of it.
    """
    enter_private_network()
    daemon = Libvirtd()
    # A file system of its own, whose size and use no other program changes.
    pool = daemon.directory / "walk-pool"
    pool.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "walk-pool", str(pool)], check=True)
    with daemon, full_host(daemon):
        start_container(daemon)
        with tree.server(daemon.uri(), daemon.uri("lxc"), config=CONFIG) as server:
            yield Source(server, ("KVM", "LXC"), tuple(_made_up_by(daemon)))
        daemon.remove_domains()
        subprocess.run(["umount", "--lazy", str(pool)], check=True)


def _made_up_by(daemon: Libvirtd) -> Iterator[Volatile]:
    """What is another with each private libvirtd, and on a machine whose memory grows and shrinks."""
    yield Volatile(re.compile(daemon.host_uuid), "<host>", "each private libvirtd is another host")
    connection = daemon.connect()
    try:
        for each in connection.listAllNWFilters():
            if not each.name().startswith("vcwalk"):
                reason = "libvirt makes up the UUIDs of the filters that come with it"
                yield Volatile(re.compile(each.UUIDString()), f"<filter {each.name()}>", reason)
    finally:
        connection.close()
    yield Volatile(
        re.compile(
            r'((?:_hostmemory\.|_memorypool\.|_memresourceallocationsettingdata\.instanceid="MemoryPool/0/Maximum")'
            r'[^\t]* (?:ConsumableBlocks|NumberOfBlocks|Capacity|Limit|Reservation|VirtualQuantity)\tuint64 )"\d+"'
        ),
        r"\1<memory>",
        "the memory of a virtual machine is what its host leaves it",
    )


def enter_private_network() -> None:
    """Leave the machine's network for an empty one with a loopback device, and let /sys show that one.

    Raises:
        OSError: not permitted.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a network namespace")
    with tempfile.TemporaryDirectory() as aside:
        for command in (
            ("mount", "--make-rprivate", "/"),
            ("mount", "--rbind", "/sys/fs/cgroup", aside),
            ("mount", "-t", "sysfs", "sysfs", "/sys"),
            ("mount", "--rbind", aside, "/sys/fs/cgroup"),
            ("umount", "-l", aside),
            ("ip", "link", "set", "lo", "up"),
        ):
            subprocess.run(command, check=True)


@contextmanager
def default_node(tree: Tree) -> Iterator[Source]:
    """libvirt's test driver, with a job that is done and one that has failed."""
    with tree.server("test:///default", config=CONFIG) as server:
        with server.pywbem() as connection:
            jobs = {which: _make_volume(connection) for which in ("done", "failed")}
        yield Source(
            server,
            ("Test",),
            tuple(
                Volatile(re.compile(re.escape(identifier)), f"<{which} job>", "a job has a UUID of its own")
                for which, identifier in jobs.items()
            ),
        )


def _make_volume(connection: Any) -> str:
    """Ask for a volume, whether there is one of its name or not, and wait until the job of that is over.

    Returns:
        the InstanceID of the job.
    """
    (service,) = connection.EnumerateInstanceNames("Test_ResourcePoolConfigurationService")
    setting = pywbem.CIMInstance(
        "Test_StorageVolumeResourceAllocationSettingData",
        {"VolumeName": "made", "Capacity": pywbem.Uint64(1 << 20), "FormatType": pywbem.Uint16(1)},
    )
    pool = pywbem.CIMInstanceName("Test_DiskPool", {"InstanceID": "DiskPool/default-pool"}, namespace="root/virt")
    value, given = connection.InvokeMethod("CreateResourceInPool", service, [("Settings", setting), ("Pool", pool)])
    assert value == STARTED, f"CreateResourceInPool: no job but {value}"
    wait_until(lambda: connection.GetInstance(given["Job"])["JobState"] >= COMPLETED)
    return str(given["Job"]["InstanceID"])


SOURCES: Mapping[str, Callable[[Tree], Any]] = {
    "corpus": recorded_corpus,
    "host": real_host,
    "test": default_node,
}
"""What can be dumped, by name."""
