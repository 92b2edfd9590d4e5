"""What `docs/changing.md` says is true: a toy of each kind is added to a copy of the tree, and CIM-XML serves it.

Each change lists the files that it touches; there are no more of them than the page says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "changing.md"


@dataclass(frozen=True)
class Edit:
    """One place: a new file, or lines put into a file before a line that it has."""

    file: str
    text: str
    before: str = ""

    def apply(self, tree: Path) -> None:
        path = tree / self.file
        if not self.before:
            assert not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text)
            return
        held = path.read_text()
        assert held.count(self.before) == 1, f"{self.file}: {self.before!r}"
        path.write_text(held.replace(self.before, self.text + self.before))


MOF = "virtcim/mof/platform.mof"
SYSTEM_MOF = "};\n\nclass Platform_HostSystem :"
LAST_CLASS = "[Indication]\nclass Platform_ComputerSystemCreatedIndication"

PROPERTY = (
    Edit("virtcim/libhelper/documents/domain/domain.py", '    toy = Text("toy/@mood")\n', '    type = Text("@type")\n'),
    Edit(
        "virtcim/providers/Virt_ComputerSystem/Virt_ComputerSystem.py",
        '    attribute("Mood", lambda system: system.domain.config.toy, source="domain XML toy/@mood"),\n',
        '    constant("Dedicated"',
    ),
    Edit(MOF, "   string Mood;\n", SYSTEM_MOF),
)

ASSOCIATION = (
    Edit(
        "virtcim/providers/associations/Virt_Neighbour.py",
        """from virtcim.providers.associations.relation import Relation, Role
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_HostSystem import HostSystem, guests_on, host_of


def neighbour(site):
    return Relation(
        site,
        "Neighbour",
        Role("Antecedent", (HostSystem,)),
        Role("Dependent", (ComputerSystem,)),
        to_right=lambda host: (system_of(guest) for guest in guests_on(site, host)),
        to_left=lambda system: (host_of(system.guest),),
    )
""",
    ),
    Edit(
        "virtcim/registration/catalog.py",
        "    neighbour,\n",
        "    hosted_dependency,\n    system_device,\n",
    ),
    Edit(
        "virtcim/registration/catalog.py",
        "from virtcim.providers.associations.Virt_Neighbour import neighbour\n",
        "from virtcim.providers.associations.Virt_NestedFilterList import",
    ),
    Edit(MOF, "[Association]\nclass Platform_Neighbour : CIM_Dependency {\n};\n\n", LAST_CLASS),
)

METHOD = (
    Edit(
        "virtcim/providers/Virt_ComputerSystem/provider.py",
        """def _wink(system, parameters, context):
    return MethodResult(0, {"Seen": f"{system.guest.name} by {parameters['Eye']}"})


""",
        "ComputerSystem.methods = (",
    ),
    Edit(
        "virtcim/providers/Virt_ComputerSystem/provider.py",
        'ComputerSystem.methods += (Method("Wink", _wink, role=Role.READ),)\n\n\n',
        "class ComputerSystemProvider",
    ),
    Edit(
        "virtcim/providers/Virt_ComputerSystem/provider.py",
        "from virtcim.providers.interface import MethodResult\n",
        "from virtcim.providers.interface import",
    ),
    Edit(MOF, "   uint32 Wink([IN] string Eye, [IN (false), OUT] string Seen);\n", SYSTEM_MOF),
)

DEVICE_KIND = (
    Edit(
        "virtcim/providers/Virt_Device/Virt_Panic.py",
        '''from virtcim.libhelper.documents.domain import Panic as PanicXML
from virtcim.providers.properties import PropertyTable, attribute
from virtcim.providers.Virt_Device.device import COMMON, GuestDevice


class Panic(GuestDevice[PanicXML]):
    """A panic device (Virt_Panic)."""

    __slots__ = ()
    base = "Panic"


Panic.table = PropertyTable(COMMON, attribute("Caption", lambda panic: panic.device.model, PanicXML))
''',
    ),
    Edit(
        "virtcim/providers/Virt_RASD/Virt_PanicResourceAllocationSettingData.py",
        '''from virtcim.libhelper.documents.domain import Panic
from virtcim.providers.properties import PropertyTable, attribute, constant
from virtcim.providers.Virt_RASD.setting import COMMON, OTHER, PLACED, POOLED, ResourceSetting


class PanicSetting(ResourceSetting[Panic]):
    """A panic device (Virt_PanicResourceAllocationSettingData)."""

    __slots__ = ()
    base = "PanicResourceAllocationSettingData"


PanicSetting.table = PropertyTable(
    COMMON,
    PLACED,
    POOLED,
    constant("ResourceType", OTHER),
    attribute("ResourceSubType", lambda setting: setting.device.model, Panic, writable=True),
)
''',
    ),
    Edit(
        "virtcim/providers/Virt_DevicePool/Virt_PanicPool.py",
        '''from virtcim.providers.Virt_DevicePool.pool import DevicePool, counted


class PanicPool(DevicePool):
    """All panic devices of a host (Virt_PanicPool)."""

    __slots__ = ()
    base = "PanicPool"
    resource_type = 1


PanicPool.table = counted("PanicDevices", "panic devices")
''',
    ),
    Edit(
        "virtcim/providers/kinds.py",
        """    DeviceKind(
        name="panic",
        identifiers={PanicXML: lambda _panic, ordinal: f"panic:{ordinal}"},
        device=Panic,
        setting=PanicSetting,
        pool=PanicPool,
        is_meant=lambda given: given.get("OtherResourceType") == "panic",
        device_class=always(PanicXML),
        template=template_type("Panic", *AMOUNT, "ResourceSubType"),
        templates=lambda pool: templates.counted("Panic", 1, ResourceSubType="pvpanic"),
        plugs=frozenset({"panic"}),
        is_hot=True,
    ),
""",
        '    DeviceKind(\n        name="other device"',
    ),
    Edit(
        "virtcim/providers/kinds.py",
        """from virtcim.libhelper.documents.domain import Panic as PanicXML
from virtcim.providers.Virt_Device.Virt_Panic import Panic
from virtcim.providers.Virt_DevicePool.Virt_PanicPool import PanicPool
from virtcim.providers.Virt_RASD.Virt_PanicResourceAllocationSettingData import PanicSetting

""",
        '__all__ = ["KINDS"]',
    ),
    Edit(
        MOF,
        """class Platform_Panic : CIM_LogicalDevice {
};
class Platform_PanicPool : CIM_ResourcePool {
};
class Platform_PanicResourceAllocationSettingData : Platform_ResourceAllocationSettingData {
};

""",
        LAST_CLASS,
    ),
)

PLATFORM = (
    Edit(
        "toy_platform.py",
        """from virtcim.platforms.base import BusDefaults, Feature, Platform

PLATFORM = Platform("Toy", "Toys", ("TOY",), (), ("toy",), ("hvm",), Feature(0), BusDefaults(disk="virtio"))
""",
    ),
)

FRONT_END = (
    Edit(
        "virtcim/frontends/toy/frontend.py",
        """from virtcim.frontends.http.exchange import Reply, Route


class Toy:
    mechanism = None
    gauges = ()

    def __init__(self, core, settings, capabilities):
        self.routes = (Route("GET", self.names, path="/toy", public=True),)

    def sweep(self):
        pass

    def tidy(self):
        pass

    async def names(self, exchange):
        return Reply([b"how do you do"], {"Content-Type": "text/plain"})
""",
    ),
    Edit("virtcim/frontends/toy/__init__.py", '"""A toy."""\n'),
    Edit("virtcim/app/assembly.py", "from virtcim.frontends.toy.frontend import Toy\n\n", "__all__ = ["),
    Edit("virtcim/app/assembly.py", "FRONT_ENDS += (Toy,)\n\n\n", "def make_server("),
)

CHANGES: dict[str, tuple[tuple[Edit, ...], int, bool]] = {
    "property": (PROPERTY, 3, False),
    "association": (ASSOCIATION, 2, True),
    "method": (METHOD, 1, True),
    "platform": (PLATFORM, 1, False),
    "device kind": (DEVICE_KIND, 4, True),
}
"""The edits, the number of places that they may have, and whether the MOF comes on top of these."""

SCRIPT = """
import json, urllib.request
from importlib.metadata import EntryPoint
import pywbem
import virtcim
from virtcim import mof, schema
from virtcim.libhelper.documents.domain import DomainDocument
from virtcim.platforms.registry import GROUP, load_platforms
from virtcim.providers.drafts import DraftContext
from virtcim.providers.interface import EmbeddedInstance
from virtcim.providers.kinds import KINDS
from virtcim.providers.site import Site
from virtcim.providers.Virt_VirtualSystemManagementService.resources import ResourceRequest, add_device
from virtcim.registration.catalog import build_catalog
from virtcim.schema.mof import load_class_store
from tests.cimom.harness import RunningServer
from tests.providers.recorded import RecordedHypervisor, domain_xml

registry = load_platforms([EntryPoint("toy", "toy_platform:PLATFORM", GROUP)])
kvm, toy = registry.by_prefix("KVM"), registry.by_prefix("Toy")
host, toys = RecordedHypervisor("qemu:///system", "QEMU"), RecordedHypervisor("toy:///", "TOY")
xml = domain_xml("g", "<panic model='isa'/>").replace("<devices>", "<toy mood='merry'/><devices>")
host.put(xml, active=True)
toys.put(domain_xml("bear", kind="toy"))
site = Site([(kvm, host), (toy, toys)], registry, KINDS)
classes = load_class_store([*schema.texts(), *mof.texts()], mof.templates(), registry.prefixes, None)
server = RunningServer(build_catalog(site), classes)
ask = pywbem.WBEMConnection(server.url, default_namespace="root/virt")
(system,) = ask.EnumerateInstances("KVM_ComputerSystem")
(pool,) = ask.EnumerateInstances("KVM_PanicPool")
(setting,) = ask.EnumerateInstances("KVM_PanicResourceAllocationSettingData")
(capabilities,) = ask.Associators(pool.path, ResultClass="CIM_AllocationCapabilities")
document = DomainDocument(domain_xml("h"))
added, *_ = add_device(
    document,
    DraftContext(site, kvm, host, document.config),
    ResourceRequest(
        EmbeddedInstance("KVM_PanicResourceAllocationSettingData", {"ResourceSubType": "hyperv"}), "KVM", KINDS
    ),
)
returned, out = ask.InvokeMethod("Wink", system.path, Eye="left")
with urllib.request.urlopen(f"{server.url}/toy") as reply:
    front_end = reply.read().decode()
answers = {
    "tree": virtcim.__file__,
    "property": system["Mood"],
    "association": [each["Name"] for each in ask.Associators(system.path, AssocClass="KVM_Neighbour")],
    "method": [returned, out["Seen"]],
    "platform": [each["Name"] for each in ask.EnumerateInstances("Toy_ComputerSystem")],
    "device": [
        [each["DeviceID"], each["Caption"]]
        for each in ask.Associators(system.path, ResultClass="KVM_Panic", AssocClass="KVM_SystemDevice")
    ],
    "setting": [setting["InstanceID"], setting["ResourceSubType"], setting["PoolID"]],
    "others": [each["InstanceID"] for each in ask.EnumerateInstances("KVM_ResourceAllocationSettingData")],
    "found": ask.GetInstance(setting.path)["ElementName"],
    "taken": [each["InstanceID"] for each in ask.Associators(pool.path, AssocClass="KVM_ResourceAllocationFromPool")],
    "pool": [pool["CurrentlyConsumedResource"], capabilities["SupportedAddStates"]],
    "templates": [each["InstanceID"] for each in ask.Associators(capabilities.path, Role="GroupComponent")],
    "added": [added.tag, added.model],
    "front end": front_end,
    "invalid": [str(each) for each in server.invalid],
}
ask.close()
server.stop()
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a server of the changed tree answers."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "virtcim", tree / "virtcim", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "tests").symlink_to(ROOT / "tests")
    for edits, _, _ in CHANGES.values():
        for edit in edits:
            edit.apply(tree)
    for edit in FRONT_END:
        edit.apply(tree)
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["tree"] == str(tree / "virtcim" / "__init__.py")
    assert not found["invalid"]
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_has_no_more_places_than_the_page_says(name: str) -> None:
    edits, places, and_mof = CHANGES[name]
    touched = {edit.file for edit in edits} - ({MOF} if and_mof else set())
    assert len(touched) <= places
    heading, _, section = PAGE.read_text().partition(f"## A {name}" if name[0] not in "a" else f"## An {name}")
    assert section, heading
    listed = [line for line in section.partition("\n## ")[0].splitlines() if line[:2] in ("1.", "2.", "3.", "4.", "5.")]
    assert len(listed) == places + and_mof


def test_a_property_is_served(answers: dict[str, Any]) -> None:
    assert answers["property"] == "merry"


def test_an_association_is_served(answers: dict[str, Any]) -> None:
    assert answers["association"] == ["node.example.org"]


def test_a_method_is_served(answers: dict[str, Any]) -> None:
    assert answers["method"] == [0, "g by left"]


def test_a_platform_is_served(answers: dict[str, Any]) -> None:
    assert answers["platform"] == ["bear"]


def test_a_front_end_is_served(answers: dict[str, Any]) -> None:
    assert answers["front end"] == "how do you do"


def test_a_device_kind_is_served(answers: dict[str, Any]) -> None:
    """As device, setting and pool, by the associations between them, by templates, and as a new device."""
    pool = "PanicPool/0"
    assert answers["device"] == [["g/panic:0", "isa"]]
    assert answers["setting"] == ["g/panic:0", "isa", pool]
    assert answers["found"] == "panic:0"
    assert answers["taken"] == ["g/panic:0"]
    assert answers["pool"] == [1, [2, 3, 11]]
    assert answers["templates"] == [f"{pool}/{word}" for word in ("Minimum", "Maximum", "Default", "Increment")]
    assert answers["added"] == ["panic", "hyperv"]
