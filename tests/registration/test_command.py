"""The commands, as a user gives them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
import pywbem_mock  # type: ignore[import-untyped]

from tests.registration.conftest import Fakes
from virtcim.app.commands.registration import add_commands


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(required=True))
    arguments = parser.parse_args(words)
    return int(arguments.run(arguments))


def test_all_there_is_to_serve(fakes: Fakes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fakes.install_sfcb("CIM_ManagedElement", "CIM_MemberOfCollection")
    state = ("--state-dir", str(tmp_path / "state"))
    before = fakes.tree()
    assert run("register", "--dry-run", *state) == 0
    assert fakes.tree() == before
    assert "nothing was changed" in capsys.readouterr().out
    assert run("register", *state) == 0
    registration = (fakes.root / "stage/regs/virtcim.reg").read_text()
    for prefix in ("KVM", "Xen", "LXC"):
        assert f"[{prefix}_ComputerSystem]" in registration
    # What belongs to all nodes lives in the interop namespace only.
    for name, types in (
        ("Virt_ManagedNode", "instance"),
        ("Virt_NodeGroup", "instance"),
        ("Virt_AggregatedManagementService", "instance method"),
        ("Virt_ImageStore", "instance method"),
        ("Virt_Template", "instance"),
        ("Virt_ApplianceCatalog", "instance method"),
        ("Virt_Appliance", "instance"),
        ("CIM_MemberOfCollection", "instance association"),
    ):
        section = registration.partition(f"[{name}]")[2].partition("[")[0]
        assert re.search(r"^\s*namespace:.*\broot/interop\b", section, re.MULTILINE), name
        assert re.search(rf"^\s*type: {types}$", section, re.MULTILINE), name
    members = registration.partition("[CIM_MemberOfCollection]")[2].partition("[")[0]
    assert re.search(r"^\s*namespace:.*\broot/virt\b", members, re.MULTILINE)
    interop = (fakes.root / "stage/mofs/root/interop/virtcim-root-interop.mof").read_text()
    assert "class Virt_NodeGroup : CIM_ConcreteCollection {" in interop
    classes = (fakes.root / "stage/mofs/root/virt/virtcim-root-virt.mof").read_text()
    assert "class KVM_ComputerSystem : Virt_ComputerSystem {" in classes
    # None of these are served, and clients send them to CreateSnapshot.
    assert "class KVM_VirtualSystemSnapshotSettingData : Virt_VirtualSystemSnapshotSettingData {" in classes
    assert "class CIM_MemberOfCollection " in classes
    assert "class CIM_ManagedElement " not in classes
    assert "class CIM_ComputerSystem : CIM_System {" in classes
    assert run("registration", "status", *state) == 0
    assert "registered by virtcim" in capsys.readouterr().out
    assert run("unregister", *state) == 0
    assert fakes.tree() == before
    assert capsys.readouterr().out.endswith("no longer registered in sfcb\n")
    assert run("unregister", *state) == 0
    assert capsys.readouterr().out == "nothing is registered in sfcb\n"


def test_without_a_cim_server(fakes: Fakes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = ("--state-dir", str(tmp_path / "state"))
    assert run("register", *state) == 1
    assert "No tools of pegasus or sfcb are on PATH" in capsys.readouterr().err
    assert run("register", "--cimom", "sfcb", *state) == 1
    assert run("registration", "status", *state) == 0
    assert "no CIM server is installed" in capsys.readouterr().out


def test_written_for_another_cim_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory, state = tmp_path / "new/files", ("--state-dir", str(tmp_path / "state"))
    assert run("register", "--dry-run", "--write", str(directory), *state) == 0
    assert not directory.exists()
    assert run("register", "--write", str(directory), *state) == 0
    assert f"write {directory / 'root-virt.mof'}" in capsys.readouterr().out
    compiler = pywbem_mock.FakedWBEMConnection()
    for line in (directory / "virtcim.registration").read_text().splitlines()[1:]:
        name, namespace, provider, library, *types = line.split()
        if namespace not in compiler.namespaces:
            compiler.add_namespace(namespace)
        if not compiler.cimrepository.get_class_store(namespace).len():
            for file in ("qualifiers.mof", f"{namespace.replace('/', '-')}.mof"):
                compiler.compile_mof_file(str(directory / file), namespace)
        compiler.GetClass(name, namespace)
        assert provider.startswith("Virt_")
        assert library == "virtcim"
        assert types
    assert "[KVM_ComputerSystem]" in (directory / "virtcim.reg").read_text()
    assert "instance of PG_ProviderModule" in (directory / "virtcim-pegasus.mof").read_text()
    assert not (tmp_path / "state").exists()
    blocked = tmp_path / "file"
    blocked.touch()
    assert run("register", "--write", str(blocked / "below"), *state) == 1
    assert "Not a directory; expected a place that can be written" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["sfcb", "pegasus"])
def test_the_interop_namespace_has_what_libvirt_cim_put_there(fakes: Fakes, tmp_path: Path, kind: str) -> None:
    """Also where the schema of the CIM server has the classes: of them SFCB itself puts into a namespace what something
    declared there is derived from, and leaves out what nobody uses."""
    schema = ("CIM_ManagedElement", "CIM_RegisteredSubProfile")
    if kind == "sfcb":
        fakes.install_sfcb(*schema)
    else:
        fakes.install_pegasus(interop="root/PG_InterOp")
    assert run("register", "--state-dir", str(tmp_path / "state")) == 0
    if kind == "sfcb":
        text = (fakes.root / "stage/mofs/root/interop/virtcim-root-interop.mof").read_text()
        declared = re.findall(r"^class (\w+)(?: : (\w+))?", text, re.MULTILINE)
        superclasses = {superclass for _, superclass in declared}
        classes = [*(name for name, _ in declared), *superclasses.intersection(schema)]
    else:
        classes = fakes.pegasus["namespaces"]["root/interop"]["classes"]
        assert {"Key", "ArrayType", "Alias"} <= set(fakes.pegasus["namespaces"]["root/interop"]["qualifiers"])
    assert set(classes) >= {
        "CIM_ManagedElement",
        "CIM_RegisteredProfile",
        "CIM_RegisteredSubProfile",
        "CIM_Dependency",
        "CIM_ElementConformsToProfile",
        "CIM_ReferencedProfile",
        "CIM_SubProfileRequiresProfile",
    }
    assert len(classes) == len(set(classes))
