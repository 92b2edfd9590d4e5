"""Runs a console script with hypervisors that are recorded in a file: `recorded_libvirt.py FILE MODULE:FUNCTION ...`.

For what no driver on this machine can produce (Xen, foreign architectures, XML that libvirt does not take).  It stands
between libvirt's Python binding and the tree that is served, and imports nothing of that tree but the script, so that
trees laid out in whatever way see the same hosts.  Only what reads is here; every other call is one that the driver
does not support.

The file is JSON: an object with, by the driver of a URI, a host:

    type, hostname, info, version, library_version, max_vcpus   what the calls of a connection give
    capabilities, domain_capabilities, storage_capabilities, sysinfo   XML; "" where the driver has none
    domains      live and defined XML, null where there is none
    networks, pools, node_devices, filters   xml and whether it is active; pools have volumes, which are XML
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit
from xml.etree import ElementTree

import libvirt

CAPACITY = 10 << 30
"""Bytes of every disk of a guest."""


Some = TypeVar("Some", bound="Thing")


def failure(code: int, text: str) -> libvirt.libvirtError:
    """Make an error such as libvirt raises."""
    # Else the new one would have the text of the last one.
    libvirt.virResetLastError()  # type: ignore[attr-defined]
    error = libvirt.libvirtError(text)
    error.err = (code, libvirt.VIR_FROM_NONE, text, libvirt.VIR_ERR_ERROR, "", "", "", -1, -1)
    return error


class Recorded:
    """What answers with what is recorded; a call that is not here is one that the driver does not have."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_: object, **__: object) -> NoReturn:
            raise failure(libvirt.VIR_ERR_NO_SUPPORT, f"not supported by the connection driver: {name}")

        return refuse


class Thing(Recorded):
    """A libvirt object.

    Parameters:
        live, defined: its XML as it runs and as it is defined.
        inactive_flag: the flag of XMLDesc for the latter.
        autostart: whether it starts with its host.
    """

    def __init__(self, live: str | None, defined: str | None, inactive_flag: int = 0, autostart: bool = False) -> None:
        self.live, self.defined = live, defined
        self.inactive_flag = inactive_flag
        self.is_autostarted = autostart
        root = ElementTree.fromstring(live or defined or "")
        self.own_name = str(root.get("name") or root.findtext("name", ""))
        self.own_uuid = str(root.findtext("uuid", ""))
        self.own_key = str(root.findtext("key", ""))

    def name(self) -> str:
        return self.own_name

    def UUIDString(self) -> str:
        return self.own_uuid

    def key(self) -> str:
        return self.own_key

    def isActive(self) -> int:
        return int(self.live is not None)

    def isPersistent(self) -> int:
        return int(self.defined is not None)

    def autostart(self) -> int:
        return int(self.is_autostarted)

    def XMLDesc(self, flags: int = 0) -> str:
        first, second = (self.defined, self.live) if flags & self.inactive_flag else (self.live, self.defined)
        return first or second or ""


class Guest(Thing):
    """A domain: it runs, or is shut off."""

    def ID(self) -> int:
        return 1 if self.live is not None else -1

    def state(self, _flags: int = 0) -> list[int]:
        return [libvirt.VIR_DOMAIN_RUNNING if self.live is not None else libvirt.VIR_DOMAIN_SHUTOFF, 0]

    def hasManagedSaveImage(self, _flags: int = 0) -> int:
        return 0

    def snapshotNum(self, _flags: int = 0) -> int:
        return 0

    def listAllCheckpoints(self, _flags: int = 0) -> list[Thing]:
        return []

    def blockInfo(self, _disk: str, _flags: int = 0) -> list[int]:
        return [CAPACITY, CAPACITY, CAPACITY]


class StoragePool(Thing):
    """A storage pool and its volumes."""

    def __init__(self, live: str | None, defined: str, volumes: Iterable[str]) -> None:
        super().__init__(live, defined, libvirt.VIR_STORAGE_XML_INACTIVE, live is not None)
        self.volumes = [Thing(xml, xml) for xml in volumes]

    def listAllVolumes(self, _flags: int = 0) -> list[Thing]:
        return list(self.volumes)


class Host(Recorded):
    """A connection to a recorded host."""

    def __init__(self, uri: str, recorded: dict[str, Any]) -> None:
        self.uri = uri
        self.recorded = recorded
        self.domains = [
            Guest(each["live"], each["defined"], libvirt.VIR_DOMAIN_XML_INACTIVE) for each in recorded["domains"]
        ]
        self.networks = [
            Thing(
                each["xml"] if each["active"] else None, each["xml"], libvirt.VIR_NETWORK_XML_INACTIVE, each["active"]
            )
            for each in recorded["networks"]
        ]
        self.pools = [
            StoragePool(each["xml"] if each["active"] else None, each["xml"], each["volumes"])
            for each in recorded["pools"]
        ]
        self.node_devices = [Thing(each, each) for each in recorded["node_devices"]]
        self.filters = [Thing(each, each) for each in recorded["filters"]]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.endswith(("EventRegisterAny", "EventDeregisterAny")):
            return lambda *_: 0
        return super().__getattr__(name)

    def close(self) -> int:
        return 0

    def isAlive(self) -> int:
        return 1

    def registerCloseCallback(self, _callback: object, _opaque: object) -> int:
        return 0

    def unregisterCloseCallback(self) -> int:
        return 0

    def getURI(self) -> str:
        return self.uri

    def getType(self) -> str:
        return str(self.recorded["type"])

    def getHostname(self) -> str:
        return str(self.recorded["hostname"])

    def getInfo(self) -> list[Any]:
        return list(self.recorded["info"])

    def getVersion(self) -> int:
        return int(self.recorded["version"])

    def getLibVersion(self) -> int:
        return int(self.recorded["library_version"])

    def getMaxVcpus(self, _kind: str | None) -> int:
        return int(self.recorded["max_vcpus"])

    def getCapabilities(self) -> str:
        return self.text("capabilities")

    def getSysinfo(self, _flags: int = 0) -> str:
        return self.text("sysinfo")

    def getDomainCapabilities(self, *_: object) -> str:
        return self.text("domain_capabilities")

    def getStoragePoolCapabilities(self, _flags: int = 0) -> str:
        return self.text("storage_capabilities")

    def text(self, name: str) -> str:
        """A document of the host."""
        if not self.recorded[name]:
            raise failure(libvirt.VIR_ERR_NO_SUPPORT, f"not supported by the connection driver: {name}")
        return str(self.recorded[name])

    def listAllDomains(self, flags: int = 0) -> list[Guest]:
        if flags & ~(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE | libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE):
            return []  # none is transient, starts with its host, or has a saved state, snapshots or checkpoints
        return _chosen(
            self.domains,
            flags,
            libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE,
            libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE,
            0,
        )

    def listAllNetworks(self, flags: int = 0) -> list[Thing]:
        return _chosen(
            self.networks,
            flags,
            libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE,
            libvirt.VIR_CONNECT_LIST_NETWORKS_INACTIVE,
            libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART,
        )

    def listAllStoragePools(self, flags: int = 0) -> list[StoragePool]:
        return _chosen(
            self.pools,
            flags,
            libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE,
            libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE,
            libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART,
        )

    def listAllDevices(self, _flags: int = 0) -> list[Thing]:
        return list(self.node_devices)

    def listAllNWFilters(self, _flags: int = 0) -> list[Thing]:
        return list(self.filters)

    def lookupByUUIDString(self, uuid: str) -> Guest:
        return _found(self.domains, uuid, libvirt.VIR_ERR_NO_DOMAIN)

    def lookupByName(self, name: str) -> Guest:
        return _found(self.domains, name, libvirt.VIR_ERR_NO_DOMAIN)

    def networkLookupByUUIDString(self, uuid: str) -> Thing:
        return _found(self.networks, uuid, libvirt.VIR_ERR_NO_NETWORK)

    def storagePoolLookupByUUIDString(self, uuid: str) -> StoragePool:
        return _found(self.pools, uuid, libvirt.VIR_ERR_NO_STORAGE_POOL)

    def nodeDeviceLookupByName(self, name: str) -> Thing:
        return _found(self.node_devices, name, libvirt.VIR_ERR_NO_NODE_DEVICE)

    def nwfilterLookupByUUIDString(self, uuid: str) -> Thing:
        return _found(self.filters, uuid, libvirt.VIR_ERR_NO_NWFILTER)


def _chosen(things: list[Some], flags: int, active: int, inactive: int, autostart: int) -> list[Some]:
    """Those that the flags of a list ask for: running or not, starting with their host, or all."""
    if flags & active:
        return [each for each in things if each.isActive()]
    if flags & inactive:
        return [each for each in things if not each.isActive()]
    if flags & autostart:
        return [each for each in things if each.autostart()]
    return [] if flags else list(things)


def _found(things: list[Some], key: str, code: int) -> Some:
    for each in things:
        if key in (each.UUIDString(), each.name()):
            return each
    raise failure(code, f"nothing recorded is called {key}")


def main() -> int:
    """Put the recorded hosts in libvirt's place, and run the script."""
    hosts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    module, _, function = sys.argv[2].partition(":")

    def open_recorded(uri: str, *_how: object) -> Host:
        driver = urlsplit(uri).scheme.partition("+")[0]
        if driver not in hosts:
            raise failure(libvirt.VIR_ERR_NO_CONNECT, f"no host is recorded for {uri}")
        return Host(uri, hosts[driver])

    # Every way there is to open one, because each tree has its own.
    for opener in ("open", "openReadOnly", "openAuth"):
        setattr(libvirt, opener, open_recorded)
    sys.argv[:3] = ["virtcim"]
    return int(getattr(importlib.import_module(module), function)())


if __name__ == "__main__":
    sys.exit(main())
