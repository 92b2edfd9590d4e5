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
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath
from virtcim.providers.Virt_AllocationCapabilities import Template, templates_of
from virtcim.providers.Virt_DevicePool import pools_of

RASD = "ResourceAllocationSettingData"
JOB_STARTED = 4096
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
        system = {"VirtualSystemIdentifier": "offered"}
        if self.prefix == "LXC":
            system["InitPath"] = "/sbin/init"
        settings = EmbeddedInstance(f"{self.prefix}_VirtualSystemSettingData", system)
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


@contextmanager
def offering(prefix: str, uri: str) -> Iterator[Offering]:
    hypervisor = Hypervisor(uri, HypervisorSettings(interval=0.5))
    hypervisor.start()
    try:
        assert hypervisor.wait_ready(20)
        assert hypervisor.inventory.wait_for(lambda held: any(pool.volumes is not None for pool in held.pools()), 20)
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
            assert made.return_value in (0, JOB_STARTED), each.instance_id
