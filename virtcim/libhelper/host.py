"""What a hypervisor says of itself and its node.

Layer rule: imports libvirt, connections and documents.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt

from virtcim.immutable import immutable
from virtcim.libhelper.connections import is_local
from virtcim.libhelper.documents.capabilities import HostCapabilities, parsed

__all__ = ["HostFacts", "NodeInfo", "qualified_name", "read_capabilities", "read_identity"]

_UUID = re.compile(r"<host>\s*<uuid>([^<]+)</uuid>")
_CGROUPS = Path("/sys/fs/cgroup")
_MEBIBYTE = 1024
_RESOLVE_TIMEOUT = 1.0
"""Seconds that a name server is waited for."""


@immutable
class NodeInfo:
    """The node's hardware (virNodeGetInfo).

    Attributes:
        model: the CPU model, as libvirt calls it (`x86_64`).
        memory: KiB.
        cpus: active CPUs.
        mhz: expected frequency of the CPUs in MHz; 0 when unknown.
        numa_nodes, sockets, cores, threads: NUMA cells; sockets per cell, cores per socket, threads per core.
    """

    model: str = ""
    memory: int = 0
    cpus: int = 0
    mhz: int = 0
    numa_nodes: int = 0
    sockets: int = 0
    cores: int = 0
    threads: int = 0


@immutable
class HostFacts:
    """What a hypervisor says of itself at the time of connecting.

    Attributes:
        driver: libvirt's name of the driver (`QEMU`, `LXC`, `Xen`, `TEST`).
        hostname: the node's name as libvirt has it.
        libvirt_version, hypervisor_version: (major, minor, release).
        node: the hardware.
        capabilities_xml, sysinfo_xml: "" where the driver has none.
        host_uuid: the UUID in the capabilities; None where there is none.
        domain_capabilities_xml: what a guest of the default type and machine can have; "" where the driver has none.
        storage_capabilities_xml: the kinds of storage pools; "" where the driver has none.
        max_vcpus: processors that a guest can have at most; 0 when unknown.
        cgroup_version: of the control groups of this machine; 0 when it has none, and for another machine.
    """

    driver: str = ""
    hostname: str = ""
    libvirt_version: tuple[int, int, int] = (0, 0, 0)
    hypervisor_version: tuple[int, int, int] = (0, 0, 0)
    node: NodeInfo = NodeInfo()
    capabilities_xml: str = ""
    sysinfo_xml: str = ""
    host_uuid: str | None = None
    domain_capabilities_xml: str = ""
    storage_capabilities_xml: str = ""
    max_vcpus: int = 0
    cgroup_version: int = 0

    @property
    def memory(self) -> int | None:
        """The memory of the host in KiB; None where it is not known.

        libvirt-python tells it in MiB; the sum over the NUMA nodes is exact, where it is of the same memory.
        """
        told = self.node.memory
        exact = parsed(HostCapabilities, self.capabilities_xml).memory
        if exact is not None and exact // _MEBIBYTE * _MEBIBYTE == told:
            return exact
        return told or None


def read_identity(connection: libvirt.virConnect) -> HostFacts:
    """What a hypervisor can say at once."""
    info = _ask(connection.getInfo, None)
    return HostFacts(
        driver=_ask(connection.getType, ""),
        hostname=_ask(connection.getHostname, ""),
        libvirt_version=_version(_ask(connection.getLibVersion, 0)),
        node=NodeInfo(info[0], info[1] * 1024, *info[2:8]) if info else NodeInfo(),
    )


def read_capabilities(connection: libvirt.virConnect, identity: HostFacts) -> HostFacts:
    """`identity`, and what a hypervisor has to find out first: a QEMU driver asks every QEMU binary."""
    capabilities = _ask(connection.getCapabilities, "")
    uuid = _UUID.search(capabilities)
    return replace(
        identity,
        hypervisor_version=_version(_ask(connection.getVersion, 0)),
        capabilities_xml=capabilities,
        sysinfo_xml=_ask(lambda: connection.getSysinfo(0), ""),
        host_uuid=uuid.group(1) if uuid else None,
        domain_capabilities_xml=_ask(connection.getDomainCapabilities, ""),
        storage_capabilities_xml=_ask(connection.getStoragePoolCapabilities, ""),
        max_vcpus=_ask(lambda: connection.getMaxVcpus(None), 0),
        cgroup_version=_cgroup_version() if is_local(connection.getURI()) else 0,
    )


def _cgroup_version() -> int:
    if (_CGROUPS / "cgroup.controllers").exists():
        return 2
    return 1 if (_CGROUPS / "cpu").exists() else 0


def _ask(call: Callable[[], Any], default: Any) -> Any:
    with contextlib.suppress(libvirt.libvirtError):
        return call()
    return default


def _version(number: int) -> tuple[int, int, int]:
    """libvirt's packed version number, taken apart."""
    return number // 1_000_000, number // 1_000 % 1_000, number % 1_000


def qualified_name(hostname: str) -> str:
    """The fully qualified name of this machine, which libvirt calls `hostname`.

    What the resolver says in time, else `hostname`; a name that only means "here" is not taken where there is another.
    """
    found: list[str] = []

    def resolve() -> None:
        with contextlib.suppress(OSError):
            answers = socket.getaddrinfo(hostname or socket.gethostname(), None, flags=socket.AI_CANONNAME)
            found.extend(answer[3] for answer in answers if answer[3])
        found.append(socket.getfqdn(hostname))

    thread = threading.Thread(target=resolve, name="resolve", daemon=True)
    thread.start()
    thread.join(_RESOLVE_TIMEOUT)
    names = [name.rstrip(".") for name in found if not _is_loopback(name)]
    dotted = next((name for name in names if "." in name), None)
    own = [name for name in (hostname, socket.gethostname()) if name and not _is_loopback(name)]
    return dotted or next(iter(own + names), hostname or "localhost")


def _is_loopback(name: str) -> bool:
    return name.startswith(("localhost", "ip6-")) or name.endswith(".arpa") or name[:1].isdigit()
