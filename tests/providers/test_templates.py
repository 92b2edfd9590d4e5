"""What a template offers is accepted: each one of every pool is sent back as it is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bed import Libvirtd
from tests.providers.outcome import outcome
from tests.providers.recorded import CONTEXT, Served, platform
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath, Properties
from virtcim.providers.Virt_AllocationCapabilities import Template, templates_of
from virtcim.providers.Virt_DevicePool import pools_of
from virtcim.providers.Virt_ResourcePoolConfigurationService.settings import GivenProperties
from virtcim.providers.Virt_ResourcePoolConfigurationService.storagepools import pool_order

RASD = "ResourceAllocationSettingData"
OF_POOLS = ("NetPool", "DiskPool", "StorageVolume")
"""What is made in pools or on hosts, not in guests."""
POOL = """<pool type='dir'><name>offers</name><target><path>{}</path></target></pool>"""
NODE = """<node><network><name>default</name><bridge name='virbr0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'/></network>
<pool type='dir'><name>offers</name><target><path>/offers</path></target></pool></node>"""
NETWORK = "<network><name>offers</name><bridge name='virbr77'/></network>"


class Offering(Served):
    """A site with one hypervisor, and the methods that take templates."""

    def __init__(self, prefix: str, hypervisor: Hypervisor) -> None:
        super().__init__([(platform(prefix), hypervisor)])
        self.prefix = prefix
        self.hypervisor = hypervisor

    def call(self, service: str, method: str, **parameters: Any) -> Any:
        name = f"{self.prefix}_{service}"
        return outcome(self.providers[name].invoke_method(name, None, method, parameters, CONTEXT))

    @property
    def templates(self) -> list[Template]:
        return [each for pool in pools_of(self.site, platform(self.prefix)) for each in templates_of(pool)]

    def of_guests(self) -> list[Template]:
        return [each for each in self.templates if each.base.removesuffix(RASD) not in OF_POOLS]

    def define(self, template: Template) -> str | None:
        """Define a guest with what a template describes; what is wrong."""
        described = EmbeddedInstance(template.class_name, dict(template.properties()))
        settings = EmbeddedInstance(f"{self.prefix}_VirtualSystemSettingData", {"VirtualSystemIdentifier": "offered"})
        try:
            self.call(
                "VirtualSystemManagementService",
                "DefineSystem",
                SystemSettings=settings,
                ResourceSettings=[described],
            )
        except CIMError as error:
            return f"{template.instance_id}: {error.description}"
        domain = self.hypervisor.inventory.domain("offered")
        assert domain is not None
        self.hypervisor.domains.remove(domain.uuid)
        return None

    def of_new(self, kind: str) -> list[Template]:
        return [each for each in self.templates if each.base.removesuffix(RASD) == kind]

    def make(self, template: Template, **more: Any) -> Properties:
        """Make the pool that a template describes, and remove it again; what it was like."""
        described = EmbeddedInstance(template.class_name, {**template.properties(), **more})
        service = "ResourcePoolConfigurationService"
        made = self.call(service, "CreateChildResourcePool", ElementName="offered", Settings=[described])
        assert made.return_value == 0, template.instance_id
        pool = made.out["Pool"]
        shown = dict(self.get(pool.class_name, **pool.keys).properties())
        assert self.call(service, "DeleteResourcePool", Pool=pool).return_value == 0
        return shown


@contextmanager
def offering(prefix: str, uri: str) -> Iterator[Offering]:
    hypervisor = Hypervisor(uri, HypervisorSettings(interval=0.5))
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(60)
        assert hypervisor.inventory.wait_for(lambda held: any(pool.volumes is not None for pool in held.pools()), 60)
        yield Offering(prefix, hypervisor)
    finally:
        hypervisor.stop()


@pytest.fixture
def storage(libvirtd: Libvirtd, tmp_path: Path) -> Iterator[Libvirtd]:
    """The daemon with a network, and a pool that holds an image and a medium."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(tmp_path / "image.qcow2"), "16M"], check=True)
    (tmp_path / "cd.iso").write_bytes(bytes(0x8001) + b"CD001" + bytes(0x8000))
    connection = libvirtd.connect()
    pool = connection.storagePoolCreateXML(POOL.format(tmp_path))
    network = connection.networkDefineXML(NETWORK)
    yield libvirtd
    pool.destroy()
    network.undefine()


def check_all(site: Offering, *expected: str) -> None:
    """Send each template back; `expected` are among them."""
    templates = site.of_guests()
    offered = {each.instance_id for each in templates}
    assert offered >= set(expected), offered
    assert [text for text in map(site.define, templates) if text is not None] == []


def test_what_is_offered_to_guests_of_qemu(storage: Libvirtd) -> None:
    with offering("KVM", storage.uri()) as site:
        check_all(
            site,
            "ProcessorPool/0/Maximum",
            "NetworkPool/offers/Default",
            "DiskPool/offers/Default",
            "DiskPool/offers/Point/volume/image.qcow2",
            "DiskPool/offers/Point/volume/cd.iso",
            "DiskPool/offers/Point/cdrom",
            "DiskPool/offers/Point/floppy",
            "GraphicsPool/0/Increment",
            "InputPool/0/Minimum",
            "ControllerPool/0/Maximum",
        )


def test_what_is_offered_to_containers(storage: Libvirtd) -> None:
    with offering("LXC", storage.uri("lxc")) as site:
        check_all(site, "ProcessorPool/0/Default", "DiskPool/offers/Default", "MemoryPool/0/Minimum")


def test_what_is_offered_by_the_test_driver(tmp_path: Path) -> None:
    file = tmp_path / "node.xml"
    file.write_text(NODE)
    with offering("Test", f"test://{file}") as site:
        check_all(site, "NetworkPool/default/Default", "GraphicsPool/0/Default", "InputPool/0/Default")


@pytest.mark.parametrize("sample", ["Minimum", "Default", "Increment"])
def test_volumes_that_are_offered(storage: Libvirtd, sample: str) -> None:
    """The maximum would fill the disk."""
    with offering("KVM", storage.uri()) as site:
        offered = [
            each
            for each in site.templates
            if each.base.removesuffix(RASD) == "StorageVolume" and f"/{sample}/" in each.instance_id
        ]
        assert len(offered) == 2
        pool = InstancePath("KVM_DiskPool", {"InstanceID": "DiskPool/offers"})
        for number, each in enumerate(offered):
            values = {**each.properties(), "VolumeName": f"offered-{number}"}
            made = site.call(
                "ResourcePoolConfigurationService",
                "CreateResourceInPool",
                ElementName="offered",
                Pool=pool,
                Settings=EmbeddedInstance(each.class_name, values),
            )
            assert made.return_value == 0, each.instance_id


def test_networks_that_are_offered(tmp_path: Path) -> None:
    """Whether this machine can run them is another question: libvirt's test driver runs all that it understands."""
    file = tmp_path / "node.xml"
    file.write_text(NODE)
    with offering("Test", f"test://{file}") as site:
        made = {each.instance_id: site.make(each)["ResourceSubType"] for each in site.of_new("NetPool")}
    assert made == {
        "NetworkPool/0/Default": "nat",
        "NetworkPool/0/Point/none": "isolated",
        "NetworkPool/0/Point/nat": "nat",
        "NetworkPool/0/Point/route": "route",
    }


PLACES: dict[str, dict[str, Any]] = {
    "fs": {"Path": "/offered", "DevicePaths": ["/dev/sdz1"]},
    "netfs": {"Path": "/offered", "Host": "files.example.org", "SourceDirectory": "/exported"},
    "logical": {"SourceName": "offered"},
    "disk": {"DevicePaths": ["/dev/sdz"]},
    "iscsi": {"Host": "disks.example.org", "DevicePaths": ["iqn.2026-01.org.example:offered"]},
    "iscsi-direct": {
        "Host": "disks.example.org",
        "DevicePaths": ["iqn.2026-01.org.example:offered"],
        "InitiatorIQN": "iqn.2026-01.org.example:node",
    },
    "scsi": {"Path": "/dev/disk/by-path", "AdapterName": "host0"},
    "mpath": {},
    "rbd": {"Host": "disks.example.org", "SourceName": "offered"},
    "sheepdog": {"Host": "disks.example.org", "SourceName": "offered"},
    "gluster": {"Host": "disks.example.org", "SourceName": "offered"},
    "zfs": {"SourceName": "offered"},
    "vstorage": {"Path": "/offered", "SourceName": "offered"},
}
"""What no template can know, by the type of pool: where the storage is."""


def test_storage_pools_that_are_offered(storage: Libvirtd, tmp_path: Path) -> None:
    """Directories are made; of the others a machine has few, and so what is read of them counts."""
    with offering("KVM", storage.uri()) as site:
        offered = {each.instance_id: each for each in site.of_new("DiskPool")}
        assert offered.keys() >= {"DiskPool/0/Default", "DiskPool/0/Point/dir"}
        for each in offered.values():
            kind = str(each.properties()["ResourceSubType"])
            if kind == "dir":
                assert site.make(each, Path=str(tmp_path / "made"))["ResourceSubType"] == "dir"
            else:
                order = pool_order(GivenProperties({**each.properties(), **PLACES[kind]}), "offered")
                assert (order.pool.type, order.autostart) == (kind, False)
