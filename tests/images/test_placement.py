"""Guests of templates that are placed on nodes, by group."""

from __future__ import annotations

from pathlib import Path

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.images.conftest import POOL
from tests.images.imagehost import ImageHost
from tests.images.provisioningbed import COMPLETED, FINAL, PATIENCE, TEMPLATE

CONFIG = """\
[images]
hosts = ["127.0.0.1"]
pool = "nowhere"
[node.east]
uris = ["{uri}"]
groups = ["production"]
[node.west]
uris = ["test:///default"]
groups = ["production"]
[group.production]
variables = {{ pool = "{pool}" }}
"""


def test_a_guest_is_made_on_the_node_of_a_group_that_can_have_it(
    libvirtd: Libvirtd, pool: Path, images: ImageHost
) -> None:
    images.files["/placed.qcow2"] = libvirtd.new_image().read_bytes()
    with Server(config=CONFIG.format(uri=libvirtd.uri(), pool=POOL), arguments=["--test-driver"]) as server:
        interop = server.pywbem("root/interop")
        text = TEMPLATE.format(url=f"{images.url}/placed.qcow2", sha256="").replace('id = "boot"', 'id = "placed"')
        template = pywbem.CIMInstance("Virt_Template", {"Document": text})
        interop.CreateInstance(template, namespace="root/interop")
        wait_until(lambda: server.pywbem("root/virt/east").EnumerateInstanceNames("KVM_HostSystem"), PATIENCE)
        (service,) = interop.EnumerateInstanceNames("Virt_AggregatedManagementService")
        (group,) = interop.EnumerateInstanceNames("Virt_NodeGroup")
        setting = pywbem.CIMInstanceName(
            "KVM_VirtualSystemSettingData", {"InstanceID": "template:placed@1"}, namespace="root/virt/west"
        )
        system = pywbem.CIMInstance("KVM_VirtualSystemSettingData", {"VirtualSystemIdentifier": "placed"})
        with pytest.raises(pywbem.CIMError, match="nowhere"):
            interop.InvokeMethod("DefineSystem", service, SystemSettings=system, ReferenceConfiguration=setting)
        code, out = interop.InvokeMethod(
            "DefineSystemInGroup", service, Group=group, SystemSettings=system, ReferenceConfiguration=setting
        )
        assert (code, out["Job"].namespace) == (4096, "root/virt/east")
        node = server.pywbem("root/virt/east")
        wait_until(lambda: node.GetInstance(out["Job"])["JobState"] in FINAL, PATIENCE)
        job = node.GetInstance(out["Job"])
        assert job["JobState"] == COMPLETED, job["ErrorDescription"]
        assert libvirtd.list_all()["placed"] == "running"
        assert (pool / "placed.qcow2").exists()
    libvirtd.remove_domains()
