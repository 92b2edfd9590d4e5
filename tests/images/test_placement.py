"""Guests of templates that are placed on nodes, by group."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.images.conftest import POOL
from tests.images.imagehost import ImageHost
from tests.images.provisioningbed import COMPLETED, FINAL, PATIENCE, TEMPLATE

CONFIG = """\
[providers.jobs]
grace = 0
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


TWO = """\
[providers.jobs]
grace = 0
[images]
hosts = ["127.0.0.1"]
pool = "{pool}"
[node.east]
uris = ["{east}"]
groups = ["production"]
[node.west]
uris = ["{west}"]
groups = ["production"]
[group.production]
"""


@pytest.mark.slow
def test_twenty_at_once_are_spread_and_fetch_the_image_once(libvirtd: Libvirtd, pool: Path, images: ImageHost) -> None:
    images.files["/many.qcow2"] = libvirtd.new_image().read_bytes() + bytes(200_000)
    images.asked.clear()
    with Libvirtd() as west:
        other = west.directory / "lib/templates"
        other.mkdir()
        west.virsh("pool-create-as", POOL, "dir", "--target", str(other))
        config = TWO.format(east=libvirtd.uri(), west=west.uri(), pool=POOL)
        with Server(config=config, arguments=["--test-driver"]) as server:
            interop = server.pywbem("root/interop")
            text = TEMPLATE.format(url=f"{images.url}/many.qcow2", sha256="").replace('id = "boot"', 'id = "many"')
            text = text.replace("VirtualQuantity = 64", "VirtualQuantity = 32")
            template = pywbem.CIMInstance("Virt_Template", {"Document": text})
            interop.CreateInstance(template, namespace="root/interop")
            for node in ("east", "west"):
                space = server.pywbem(f"root/virt/{node}")
                wait_until(partial(space.EnumerateInstanceNames, "KVM_DiskPool"), PATIENCE)
            (service,) = interop.EnumerateInstanceNames("Virt_AggregatedManagementService")
            (group,) = interop.EnumerateInstanceNames("Virt_NodeGroup")
            keys = {"InstanceID": "template:many@1"}
            setting = pywbem.CIMInstanceName("KVM_VirtualSystemSettingData", keys, namespace="root/virt/west")

            def make(number: int) -> pywbem.CIMInstanceName:
                # Off: the daemons of a test look for ports of displays in one range.
                given = {"VirtualSystemIdentifier": f"n{number}", "TemplateParameters": ["start=no"]}
                system = pywbem.CIMInstance("KVM_VirtualSystemSettingData", given)
                code, out = server.pywbem("root/interop").InvokeMethod(
                    "DefineSystemInGroup", service, Group=group, SystemSettings=system, ReferenceConfiguration=setting
                )
                assert code == 4096
                path: pywbem.CIMInstanceName = out["Job"]
                return path

            with ThreadPoolExecutor(20) as threads:
                jobs = list(threads.map(make, range(20)))

            def over(path: pywbem.CIMInstanceName) -> bool:
                job = server.pywbem(path.namespace).GetInstance(path)
                assert job["JobState"] not in FINAL or job["JobState"] == COMPLETED, job["ErrorDescription"]
                return bool(job["JobState"] == COMPLETED)

            for path in jobs:
                wait_until(partial(over, path), PATIENCE)
            here, there = libvirtd.list_all(), west.list_all()
            assert sorted([*here, *there]) == sorted(f"n{number}" for number in range(20))
            assert set(here.values()) | set(there.values()) == {"shut off"}
            # Those that are made before the last one is placed count no more: they do not run.
            assert abs(len(here) - len(there)) <= 4
            assert images.asked["/many.qcow2"] == 1
            for directory in (pool, other):
                assert len(list(directory.glob("virtcim-many-*"))) == 1
        west.remove_domains()
    libvirtd.remove_domains()
