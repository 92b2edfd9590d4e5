"""What is not there, is there already, or is of a file, is refused by the same status whatever the store is of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pywbem

from tests.bed import Server

INTEROP = "root/interop"
DOCUMENT = 'id = "known"\nversion = 1\ngroup = "own"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of libvirt's test driver with a file of a template and a directory for appliances."""
    base = tmp_path_factory.mktemp("stores")
    (base / "fixed.toml").write_text(DOCUMENT.replace("known", "fixed"))
    appliances = base / "appliances"
    appliances.mkdir()
    (appliances / "taken.ova").write_bytes(b"")
    config = f"[images]\ndirectory = '{base}'\n[appliances]\ndirectory = '{appliances}'\n"
    with Server("test:///default", config=config) as made:
        ask = made.pywbem(INTEROP)
        ask.CreateInstance(pywbem.CIMInstance("Virt_Template", {"Document": DOCUMENT}))
        yield made


def call(service: str, method: str, **parameters: Any) -> Callable[[Any], Any]:
    """A call of a method of a service of the server."""
    return lambda ask: ask.InvokeMethod(method, ask.EnumerateInstanceNames(service)[0], **parameters)


def named(class_name: str, key: str, value: str, namespace: str = INTEROP) -> Any:
    return pywbem.CIMInstanceName(class_name, {key: value}, namespace=namespace)


def group(id_: str) -> Any:
    return named("Virt_NodeGroup", "InstanceID", id_)


def instance(instance_id: str) -> Any:
    return named("Virt_Template", "InstanceID", instance_id)


def template(id_: str) -> Any:
    return instance(f"template:{id_}@1")


def change_template(id_: str) -> Callable[[Any], Any]:
    changed = pywbem.CIMInstance("Virt_Template", {"Document": DOCUMENT.replace("known", id_)}, path=template(id_))
    return lambda ask: ask.ModifyInstance(changed, PropertyList=["Document"])


def create_template(id_: str) -> Callable[[Any], Any]:
    made = pywbem.CIMInstance("Virt_Template", {"Document": DOCUMENT.replace("known", id_)})
    return lambda ask: ask.CreateInstance(made, namespace=INTEROP)


STORE, CATALOG, SERVICE = "Virt_ImageStore", "Virt_ApplianceCatalog", "Virt_AggregatedManagementService"
GUEST = pywbem.CIMInstanceName(
    "Test_ComputerSystem", {"CreationClassName": "Test_ComputerSystem", "Name": "nobody"}, namespace="root/virt"
)
POOL = named("Test_DiskPool", "InstanceID", "DiskPool/none", "root/virt")
SETTING = named("Test_VirtualSystemSettingData", "InstanceID", "template:none@1", "root/virt")
SHA256 = "0" * 64

CASES: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "RemoveImage": (6, call(STORE, "RemoveImage", ImageID=SHA256)),
    "RemoveImage, no SHA-256": (6, call(STORE, "RemoveImage", ImageID="../x")),
    "WriteImage": (6, call(STORE, "WriteImage", Upload="0" * 32, Offset=pywbem.Uint64(0), Data="AA==")),
    "FinishImage": (6, call(STORE, "FinishImage", Upload="0" * 32, Checksum=SHA256, Format="raw")),
    "PullImage": (6, call(STORE, "PullImage", Template="none")),
    "CreateTemplateFromSystem": (6, call(STORE, "CreateTemplateFromSystem", System=GUEST, TemplateID="new")),
    "ReadAppliance": (6, call(CATALOG, "ReadAppliance", Source="none.ova")),
    "ReadAppliance, of a catalogue": (6, call(CATALOG, "ReadAppliance", Source="shop/none")),
    "ImportAppliance": (6, call(CATALOG, "ImportAppliance", Source="none.ova", Pool=POOL)),
    "ImportAppliance, pool": (6, call(CATALOG, "ImportAppliance", Source="taken.ova", Pool=POOL)),
    "ExportSystem": (6, call(CATALOG, "ExportSystem", System=GUEST, Target="new.ova")),
    "ExportTemplate": (6, call(CATALOG, "ExportTemplate", Template=SETTING, Target="new.ova")),
    "DrainNodes": (6, call(SERVICE, "DrainNodes", Node=named("Virt_ManagedNode", "Name", "none"))),
    "DrainNodes, group": (6, call(SERVICE, "DrainNodes", Group=group("virtcim:group:none"))),
    "DrainNodes, no node": (4, call(SERVICE, "DrainNodes", Node=named("Test_HostSystem", "Name", "none"))),
    "GetInstance of a template": (6, lambda ask: ask.GetInstance(template("none"))),
    "ModifyInstance of a template": (6, change_template("none")),
    "DeleteInstance of a template": (6, lambda ask: ask.DeleteInstance(template("none"))),
    "GetInstance of a node": (6, lambda ask: ask.GetInstance(named("Virt_ManagedNode", "Name", "none"))),
    "DeleteInstance of a node": (6, lambda ask: ask.DeleteInstance(named("Virt_ManagedNode", "Name", "none"))),
    "GetInstance of a group": (6, lambda ask: ask.GetInstance(group("virtcim:group:none"))),
    "DeleteInstance of a template of no version": (6, lambda ask: ask.DeleteInstance(instance("template:known"))),
    "GetInstance of a template by its name": (6, lambda ask: ask.GetInstance(instance("known@1"))),
    "GetInstance of a group of templates by its name": (
        6,
        lambda ask: ask.GetInstance(named("Virt_TemplateGroup", "InstanceID", "own")),
    ),
    "a template that is there": (11, create_template("known")),
    "a template of a file that is there": (11, create_template("fixed")),
    "another template than that of the file": (7, change_template("fixed")),
    "without the template of a file": (7, lambda ask: ask.DeleteInstance(template("fixed"))),
}


@pytest.mark.parametrize(("status", "ask_for"), CASES.values(), ids=CASES)
def test_what_cannot_be_found_or_made_is_told_by_its_status(
    server: Server, status: int, ask_for: Callable[[Any], Any]
) -> None:
    with pytest.raises(pywbem.CIMError) as raised:
        ask_for(server.pywbem(INTEROP))
    assert raised.value.status_code == status, raised.value.status_description


@pytest.mark.parametrize("key", ["template:known@1", "template:known:1", "template:known"])
def test_a_template_is_read_without_its_at_sign_and_version(server: Server, key: str) -> None:
    assert server.pywbem(INTEROP).GetInstance(instance(key))["Name"] == "known"
