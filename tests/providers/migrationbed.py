"""Two hosts, each a private libvirtd, served by one server as two nodes between which guests can be moved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import libvirt
import pywbem

from tests.bed import Libvirtd, wait_until
from tests.cimom.harness import RunningServer
from tests.providers.recorded import platform
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.platforms.registry import load_platforms
from virtcim.providers.backupsettings import BackupSettings
from virtcim.providers.jobs import Jobs
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.kinds import KINDS
from virtcim.providers.migrationsettings import MigrationSettings
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog
from virtcim.schema.classes import ClassStore

HERE, THERE = "root/virt", "root/virt/there"
"""The namespaces of the two nodes."""

RUNNING, COMPLETED, TERMINATED, EXCEPTION = 4, 7, 8, 10
"""JobState."""

OFFLINE, LIVE, RESUME, RESTART = 1, 2, 3, 4
"""MigrationType."""

IPC = 6
"""TransportType: a Unix socket."""

LONG = 120.0
"""Seconds that a migration may take on a machine that is busy."""

_ENOUGH = 24
"""MiB of random bytes in the memory of a guest that takes its time: zeros cost nothing."""


class TwoHosts:
    """Two daemons, and a server for both.

    Parameters:
        directory: where the files of the bed are.
        classes: that are served.
        grace: seconds that a method waits before its work becomes a job.
        qemu_conf: further lines of it, for both daemons.
        backup: settings of backups.
        settings: of migrations.

    Attributes:
        daemons: by namespace.
        sites: by namespace.
        connection: of pywbem.
    """

    def __init__(
        self,
        directory: Path,
        classes: ClassStore,
        grace: float = 0.0,
        qemu_conf: str = "",
        backup: BackupSettings | None = None,
        **settings: Any,
    ) -> None:
        self.directory = directory
        self.shared = directory / "shared"
        self.sockets = Path(os.path.realpath(directory)) / "s"
        self.checks = directory / "checks"
        for each in (self.shared, self.sockets, self.checks):
            each.mkdir(exist_ok=True)
        self.settings = MigrationSettings(
            shared_directories=(self.shared,),
            check_directory=self.checks,
            check_timeout=1.0,
            **{"socket_directory": self.sockets, **settings},
        )
        self.daemons = {HERE: Libvirtd(qemu_conf), THERE: Libvirtd(qemu_conf)}
        for daemon in self.daemons.values():
            daemon.start()
        self.jobs = Jobs(JobSettings(grace=grace))
        self.hypervisors: dict[str, Hypervisor] = {}
        self.sites: dict[str, Site] = {}
        platforms = load_platforms([])
        for namespace, daemon in self.daemons.items():
            hypervisor = self.hypervisors[namespace] = Hypervisor(daemon.uri(), HypervisorSettings(interval=0.5))
            hypervisor.start()
            of_site = ProviderSettings(namespace=namespace, migration=self.settings, backup=backup or BackupSettings())
            self.sites[namespace] = Site([(platform("KVM"), hypervisor)], platforms, KINDS, of_site, self.jobs)
        assert all(each.wait_ready(60) for each in self.hypervisors.values())
        self.server = RunningServer(build_catalog(*self.sites.values()), classes)
        self.connection = pywbem.WBEMConnection(self.server.url, timeout=None)

    def close(self) -> None:
        """End all that runs."""
        self.connection.close()
        self.jobs.stop(10)
        self.server.stop()
        for hypervisor in self.hypervisors.values():
            hypervisor.stop()
        for daemon in self.daemons.values():
            daemon.close()

    def clear(self) -> None:
        """Remove all guests of both hosts."""
        for daemon in self.daemons.values():
            daemon.remove_domains()
        wait_until(lambda: not any(each.inventory.domains() for each in self.hypervisors.values()))

    def define(self, name: str, at: str = HERE, *, slow: bool = False, devices: str = "", cpu: str = "") -> str:
        """Define a guest without an operating system, and return its UUID.

        Parameters:
            slow: fill its memory with what takes time to be sent.
            devices: more of them, as XML.
            cpu: its processor, as XML.
        """
        xml = guest_xml(name, devices, cpu, self._filling() if slow else None)
        uuid = self.daemons[at].define(xml)
        wait_until(lambda: self.hypervisors[at].inventory.domain(name))
        return uuid

    def start(self, name: str, at: str = HERE) -> None:
        """Start a guest, and wait until the server knows."""
        self.daemons[at].virsh("start", name)

        def is_active() -> bool:
            record = self.hypervisors[at].inventory.domain(name)
            return record is not None and record.active

        wait_until(is_active)

    def _filling(self) -> Path:
        file = self.directory / "filling"
        if not file.exists():
            file.write_bytes(os.urandom(_ENOUGH << 20))
        return file

    def system(self, name: str, namespace: str = HERE) -> pywbem.CIMInstanceName:
        """The path of a guest."""
        keys = {"CreationClassName": "KVM_ComputerSystem", "Name": name}
        return pywbem.CIMInstanceName("KVM_ComputerSystem", keys, namespace=namespace)

    def host(self, namespace: str) -> pywbem.CIMInstanceName:
        """The path of a host."""
        return self.connection.EnumerateInstanceNames("KVM_HostSystem", namespace)[0]

    def service(self, namespace: str = HERE) -> pywbem.CIMInstanceName:
        """The path of the service of a host."""
        return self.connection.EnumerateInstanceNames("KVM_VirtualSystemMigrationService", namespace)[0]

    def setting(self, **properties: Any) -> pywbem.CIMInstance:
        """MigrationSettingData, over Unix sockets where nothing else is said."""
        typed = {
            name: value if isinstance(value, bool | str | list) else pywbem.Uint16(value)
            for name, value in {"TransportType": IPC, **properties}.items()
        }
        return pywbem.CIMInstance("KVM_VirtualSystemMigrationSettingData", typed)

    def call(self, method: str, name: str, namespace: str = HERE, **parameters: Any) -> tuple[int, Mapping[str, Any]]:
        """Invoke a method of the service of a host for one of its guests."""
        path = self.system(name, namespace)
        code, out = self.connection.InvokeMethod(method, self.service(namespace), ComputerSystem=path, **parameters)
        return int(code), out

    def migrate(self, name: str, namespace: str = HERE, **properties: Any) -> pywbem.CIMInstanceName:
        """Begin to move a guest to the other host, and return the path of the job."""
        other = THERE if namespace == HERE else HERE
        code, out = self.call(
            "MigrateVirtualSystemToHost",
            name,
            namespace,
            DestinationHost=self.daemons[other].uri(),
            MigrationSettingData=self.setting(**properties),
        )
        assert code == 4096
        job: pywbem.CIMInstanceName = out["Job"]
        return job

    def reasons(self, name: str, namespace: str = HERE, **properties: Any) -> list[str]:
        """Ask whether a guest can be moved to the other host; the reasons why not."""
        other = THERE if namespace == HERE else HERE
        code, out = self.call(
            "ValidateMigration",
            name,
            namespace,
            DestinationHost=self.daemons[other].uri(),
            MigrationSettingData=self.setting(**properties),
        )
        assert code == 0
        return list(out.get("Reasons") or [])

    def shown(self, job: pywbem.CIMInstanceName) -> pywbem.CIMInstance:
        """A job as it is now."""
        return self.connection.GetInstance(job)

    def end_of(self, job: pywbem.CIMInstanceName) -> pywbem.CIMInstance:
        """A job once it is over."""
        return wait_until(
            lambda: shown if (shown := self.shown(job))["JobState"] in (COMPLETED, TERMINATED, EXCEPTION) else None,
            LONG,
        )

    def names(self, namespace: str) -> dict[str, list[int]]:
        """The guests that a namespace shows, with their OperationalStatus."""
        found = self.connection.EnumerateInstances("KVM_ComputerSystem", namespace)
        return {each["Name"]: [int(status) for status in each["OperationalStatus"]] for each in found}

    def states(self) -> list[dict[str, str]]:
        """What virsh lists on both sides."""
        return [daemon.list_all() for daemon in self.daemons.values()]

    def libvirt(self, namespace: str) -> libvirt.virConnect:
        """A connection to a daemon."""
        connection: libvirt.virConnect = self.daemons[namespace].connect()
        return connection


def guest_xml(name: str, devices: str, cpu: str, filling: Path | None) -> str:
    """A guest that does nothing; `filling` is loaded into its memory."""
    loader = ""
    if filling is not None:
        device = f"loader,file={filling},addr=0x2000000,force-raw=on"
        loader = (
            f"<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
            f"<qemu:arg value='-device'/><qemu:arg value='{device}'/></qemu:commandline>"
        )
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <features><acpi/></features>
  {cpu}
  <devices>{devices}<memballoon model='none'/></devices>
  {loader}
</domain>
"""


def begin_migration(
    connection: Any, name: str, there: Libvirtd, bandwidth: int, **settings: Any
) -> pywbem.CIMInstanceName:
    """Have a server begin to move a guest to another daemon that it serves, and return the path of the job.

    Parameters:
        connection: to the server, of pywbem.
        name: of the guest.
        there: the daemon that it is to go to.
        bandwidth: MiB/s at most.
        settings: more of MigrationSettingData.
    """
    (service,) = connection.EnumerateInstanceNames("KVM_VirtualSystemMigrationService")
    keys = {"CreationClassName": "KVM_ComputerSystem", "Name": name}
    values = {"TransportType": pywbem.Uint16(IPC), "Bandwidth": pywbem.Uint64(bandwidth), **settings}
    code, out = connection.InvokeMethod(
        "MigrateVirtualSystemToHost",
        service,
        ComputerSystem=pywbem.CIMInstanceName("KVM_ComputerSystem", keys, namespace=HERE),
        DestinationHost=there.uri(),
        MigrationSettingData=pywbem.CIMInstance("KVM_VirtualSystemMigrationSettingData", values),
    )
    assert code == 4096
    job: pywbem.CIMInstanceName = out["Job"]
    return job


__all__ = [
    "COMPLETED",
    "EXCEPTION",
    "HERE",
    "IPC",
    "LIVE",
    "LONG",
    "OFFLINE",
    "RESTART",
    "RESUME",
    "RUNNING",
    "TERMINATED",
    "THERE",
    "TwoHosts",
    "begin_migration",
    "guest_xml",
]
