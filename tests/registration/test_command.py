"""The commands, as a user gives them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("kind", ["sfcb", "pegasus"])
def test_the_interop_namespace_has_what_libvirt_cim_put_there(fakes: Fakes, tmp_path: Path, kind: str) -> None:
    """Also where the schema of the CIM server has the classes: SFCB leaves out of a namespace what nobody uses."""
    if kind == "sfcb":
        fakes.install_sfcb("CIM_ManagedElement", "CIM_RegisteredSubProfile")
    else:
        fakes.install_pegasus(interop="root/PG_InterOp")
    assert run("register", "--state-dir", str(tmp_path / "state")) == 0
    if kind == "sfcb":
        text = (fakes.root / "stage/mofs/root/interop/virtcim-root-interop.mof").read_text()
        classes = re.findall(r"^class (\w+)", text, re.MULTILINE)
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
