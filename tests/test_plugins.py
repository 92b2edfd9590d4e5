"""Platforms that other packages bring: found, served, and kept from harming the rest when something is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pywbem

from tests.bed import Server
from virtcim.platforms.base import Platform

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "virtcim-platform-example"

PLUGIN = """
from virtcim.platforms.base import BusDefaults, Feature, Platform
PLATFORM = Platform({prefix!r}, "Made up", ({driver!r},), (), ("x",), ("hvm",), Feature(0), BusDefaults(""){more})
"""

BROKEN = {
    "raises": ("raise OSError('the disk is on fire')", "cannot be loaded: OSError: the disk is on fire"),
    "ends": ("raise SystemExit('bye')", "cannot be loaded: SystemExit: bye"),
    "hangs": ("import time; time.sleep(600)", "cannot be loaded: no answer in 0.5 s"),
    "thief": (
        PLUGIN.format(prefix="xen", driver="THIEF", more=""),
        "the class prefix xen is that of the platform xen; expected another",
    ),
    "vendor": (
        PLUGIN.format(prefix="VMware", driver="VENDOR", more=""),
        "'VMware' cannot be a class prefix; expected one that no other classes have",
    ),
    "rival": (PLUGIN.format(prefix="Rival", driver="qemu", more=""), "libvirt's driver qemu is served by"),
    "later": (PLUGIN.format(prefix="Later", driver="LATER", more=", api_version=99"), "version 99 of the interface"),
    "nothing": ("PLATFORM = None", "names a NoneType; expected a Platform"),
    "garbled": (
        PLUGIN.format(prefix="Garbled", driver="GARBLED", more=", mof='class Garbled_X {'"),
        "its MOF cannot be taken",
    ),
    "greedy": (
        PLUGIN.format(
            prefix="Greedy", driver="GREEDY", more=", mof='class KVM_ComputerSystem : Platform_ComputerSystem {};'"
        ),
        "KVM_ComputerSystem: expected a class Greedy_X with the superclass Platform_X",
    ),
}
"""Plugins with which something is wrong: what their module holds, and what is said of them."""


def install(directory: Path, name: str, value: str, source: str = "") -> None:
    """Put a package with one platform into a directory of the search path, as pip leaves it there."""
    module = value.partition(":")[0]
    if source:
        (directory / f"{module}.py").write_text(source)
    about = directory / f"virtcim_platform_{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: virtcim-platform-{name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[virtcim.platforms]\n{name} = {value}\n")


def listed(directory: Path, config: str = "", expect: int = 0) -> dict[str, dict[str, str]]:
    """What `virtcim platform list` says, by name, with the packages of a directory."""
    file = directory / "list.toml"
    file.write_text(f"state_dir = {json.dumps(str(directory / 'state'))}\n{config}")
    (directory / "state").mkdir(exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "virtcim.app.main", "platform", "list", "--json", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, env=search_path(directory, EXAMPLE), timeout=120)
    assert (done.returncode, done.stderr) == (expect, "")
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


def search_path(*directories: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*directories, ROOT)))}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a good platform, and with one of each kind of bad ones."""
    directory = tmp_path_factory.mktemp("packages")
    install(directory, "example", "virtcim_platform_example:PLATFORM")
    for name, (source, _) in BROKEN.items():
        install(directory, name, f"plugin_{name}:PLATFORM", source)
    return directory


@pytest.fixture(scope="module")
def server(packages: Path) -> Iterator[Server]:
    """A server with all of these plugins, which serves libvirt's test driver as the example does."""
    config = '[platforms]\ndisabled = ["test"]\npatience = 0.5\n'
    environment = search_path(packages, EXAMPLE)
    with Server("test:///default", config=config, environment=environment) as made:
        yield made


def test_the_example_is_served_beside_plugins_that_fail(server: Server) -> None:
    client = server.pywbem()
    (guest,) = client.EnumerateInstances("Virt_ComputerSystem")
    (host,) = client.EnumerateInstances("Example_HostSystem")
    assert (guest.classname, guest["Name"], guest["Mood"]) == ("Example_ComputerSystem", "test", "at ease")
    assert host["RoomForGuests"] == 12
    declared = client.GetClass("Example_ComputerSystem", LocalOnly=False)
    assert declared.superclass == "Virt_ComputerSystem"
    assert declared.properties["Mood"].type == "string"
    assert "Mood" not in client.GetClass("KVM_ComputerSystem", LocalOnly=False).properties


def test_what_a_plugin_adds_follows_changes(server: Server) -> None:
    client = server.pywbem()
    (path,) = client.EnumerateInstanceNames("Example_ComputerSystem")
    assert client.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(3))[0] == 0
    try:
        assert client.GetInstance(path)["Mood"] == "asleep"
    finally:
        assert client.InvokeMethod("RequestStateChange", path, RequestedState=pywbem.Uint16(2))[0] == 0
    assert client.GetInstance(path)["Mood"] == "at ease"


@pytest.mark.parametrize("name", BROKEN)
def test_a_plugin_that_fails_is_named_with_the_reason(server: Server, name: str) -> None:
    (line,) = (
        line for line in server.errors.splitlines() if f"platform {name} (virtcim-platform-{name} 1.0): " in line
    )
    assert BROKEN[name][1] in line


def test_the_list_tells_what_is_served_and_why_something_is_not(packages: Path) -> None:
    config = '[platforms]\ndisabled = ["test"]\npatience = 0.5\n'
    rows = listed(packages, config, expect=1)
    assert {name for name, row in rows.items() if row["state"] == "failed"} == set(BROKEN)
    for name, (_, reason) in BROKEN.items():
        assert reason in rows[name]["note"]
    assert (rows["test"]["state"], rows["test"]["note"]) == ("off", "named in platforms.disabled")
    assert rows["example"] == {
        "name": "example",
        "state": "served",
        "prefix": "Example",
        "drivers": "TEST",
        "here": "yes",
        "origin": "virtcim-platform-example 1.0",
        "note": "Example platform",
    }
    assert "not tried" in rows["hyperv"]["note"]
    assert "not tried" not in rows["kvm"]["note"]


def test_what_is_not_enabled_is_not_imported(tmp_path: Path) -> None:
    trace = tmp_path / "imported"
    install(tmp_path, "quiet", "plugin_quiet:PLATFORM", f"open({str(trace)!r}, 'w')\nPLATFORM = None")
    rows = listed(tmp_path, '[platforms]\nenabled = ["kvm"]\n')
    assert [name for name, row in rows.items() if row["state"] == "served"] == ["kvm"]
    assert {row["note"] for row in rows.values() if row["state"] == "off"} == {"not named in platforms.enabled"}
    assert not trace.exists()


def test_a_name_that_no_package_has_is_reported(tmp_path: Path) -> None:
    rows = listed(tmp_path, '[platforms]\nenabled = ["kmv"]\n', expect=1)
    assert rows["kmv"]["note"].startswith("is not installed, although the settings name it; expected one of kvm, xen,")


def declared_prefixes(client: Any, namespace: str | None = None) -> set[str]:
    names = client.EnumerateClassNames(namespace=namespace, DeepInheritance=True)
    return {name.partition("_")[0] for name in names if name.endswith("_ComputerSystem")} - {"CIM", "Virt"}


def test_classes_are_there_for_the_platforms_that_the_node_has(server: Server) -> None:
    client = server.pywbem()
    assert declared_prefixes(client) == {"KVM", "Xen", "LXC", "Example"}
    for absent in ("Bhyve_ComputerSystem", "HyperV_ComputerSystem", "Thief_ComputerSystem"):
        with pytest.raises(pywbem.CIMError) as found:
            client.GetClass(absent)
        assert found.value.status_code == pywbem.CIM_ERR_NOT_FOUND
        with pytest.raises(pywbem.CIMError) as found:
            client.EnumerateInstances(absent)
        assert found.value.status_code == pywbem.CIM_ERR_INVALID_CLASS
    assert declared_prefixes(client, "root/cimv2") == {"KVM", "Xen", "LXC", "Example"}


def test_the_form_of_a_platform_is_served(server: Server) -> None:
    client = server.pywbem()
    fields = {each["InstanceID"]: each for each in client.EnumerateInstances("Virt_SettingField")}
    processors = fields["Example:ProcResourceAllocationSettingData.VirtualQuantity"]
    assert (processors["ElementName"], processors["FieldType"], processors["Minimum"]) == ("Processors", 3, 1)
    assert (processors["Unit"], processors["Category"], processors["DefaultValue"]) == ("count", "Resources", "1")
    assert processors["Modes"] == [2, 4, 5]
    shown = fields["Example:VirtualSystemSettingData.UUID"]
    assert shown["Modes"] is None
    assert client.GetInstance(processors.path)["FieldName"] == "VirtualQuantity"


def test_a_form_is_looked_through_on_the_class(server: Server) -> None:
    client = server.pywbem()
    memory = "MemResourceAllocationSettingData.VirtualQuantity"

    def check(mode: int, *values: str) -> tuple[int, list[str] | None]:
        given = {"Names": [memory] * len(values), "Values": list(values)}
        code, out = client.InvokeMethod("CheckSettings", "Example_SettingField", Mode=pywbem.Uint16(mode), **given)
        return code, out.get("Complaints")

    assert check(2, "1024") == (0, None)
    assert check(2, "much") == (0, ["Memory: 'much' is not a number; expected a whole number"])
    assert check(3, "1024") == (0, ["Memory: cannot be edited here"])
    assert check(9, "1024") == (4, None)


def test_a_guest_is_made_from_a_meta_template(server: Server) -> None:
    client = server.pywbem()
    (template,) = client.EnumerateInstances("Example_MetaTemplate")
    assert template["InstanceID"] == "Example:machine"
    settings = template["SystemSettings"]
    settings["VirtualSystemIdentifier"] = "made-from-template"
    (service,) = client.EnumerateInstanceNames("Example_VirtualSystemManagementService")
    code, out = client.InvokeMethod("DefineSystem", service, SystemSettings=settings)
    assert code == 0
    made = client.GetInstance(out["ResultingSystem"])
    assert (made["Name"], made["Mood"]) == ("made-from-template", "asleep")
    assert client.InvokeMethod("DestroySystem", service, AffectedSystem=made.path)[0] == 0


def test_a_host_tells_what_its_platform_knows_of_it(server: Server) -> None:
    (host,) = server.pywbem().EnumerateInstances("Example_HostSystem")
    facts = dict(zip(host["HostFactNames"], host["HostFacts"], strict=True))
    assert facts.keys() == {"Processor model", "libvirt"}
    assert facts["libvirt"][0].isdigit()


def test_the_page_names_what_has_no_default() -> None:
    page = (ROOT / "docs" / "plugins.md").read_text()
    (paragraph,) = (each for each in page.split("\n\n") if "No default have" in each)
    bare = {
        each.name
        for each in dataclasses.fields(Platform)
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    }
    assert set(re.findall(r"`([a-z_]+)`", paragraph)) == bare
