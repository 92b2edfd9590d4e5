"""register, unregister and status with make-believe CIM servers."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bed.classes import class_store
from tests.registration.conftest import Fakes
from virtcim.registration.actions import choose, register, status, unregister
from virtcim.registration.cimservers import Plan
from virtcim.registration.pegasus import Pegasus
from virtcim.registration.sfcb import Sfcb
from virtcim.registration.table import Entry, Table
from virtcim.registration.tools import RegistrationError


@pytest.fixture(autouse=True)
def _inside(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    """`test_command.py` runs the tools as the programs that they are."""
    fakes.stay_inside(monkeypatch)


def sfcb(fakes: Fakes, *, dry_run: bool = False, running: bool = False) -> Sfcb:
    return Sfcb(fakes.tools(dry_run=dry_run), lambda: running)


def test_choosing(fakes: Fakes) -> None:
    with pytest.raises(RegistrationError, match="pegasus or sfcb"):
        choose(None, fakes.tools())
    fakes.install_sfcb("CIM_Thing")
    assert choose(None, fakes.tools()).name == "sfcb"
    with pytest.raises(RegistrationError, match="No tools of pegasus"):
        choose("pegasus", fakes.tools())
    with pytest.raises(RegistrationError, match="CIM server 'other': is not known; expected"):
        choose("other", fakes.tools())
    fakes.install_pegasus()
    with pytest.raises(RegistrationError, match="say --cimom"):
        choose(None, fakes.tools())
    assert choose("pegasus", fakes.tools()).name == "pegasus"


def test_sfcb_and_back(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    before = fakes.tree()
    register(plan, sfcb(fakes), state_dir)
    mof = (fakes.root / "stage/mofs/root/toy/virtcim-root-toy.mof").read_text()
    assert "class Toy_System : Toy_Named {" in mof
    assert "Qualifier " not in mof
    assert "[Toy_System]" in (fakes.root / "stage/regs/virtcim.reg").read_text()
    assert (fakes.root / "stage/mofs/root/far/virtcim-root-far.mof").exists()
    assert "sfcbrepos -f -t std" in fakes.log
    assert status([sfcb(fakes)], state_dir, "1.0") == ["sfcb: stopped, registered by virtcim 1.0 in root/toy, root/far"]
    assert unregister(sfcb(fakes), state_dir)
    assert fakes.tree() == before
    assert not state_dir.exists()
    assert status([sfcb(fakes)], state_dir, "1.0") == ["sfcb: stopped, not registered"]
    assert not unregister(sfcb(fakes), state_dir)


def test_what_an_older_schema_has_is_declared_once(fakes: Fakes, state_dir: Path) -> None:
    """In CIM 2.17 CIM_RegisteredProfile has its key itself, in later schemas from a class in between."""
    fakes.install_sfcb("CIM_ManagedElement", "CIM_RegisteredProfile", "CIM_RegisteredSubProfile")
    profiles = [Entry("KVM_RegisteredProfile", "root/interop", "Virt_RegisteredProfile", ("instance",))]
    further = {"root/interop": ("CIM_RegisteredProfile", "CIM_RegisteredSubProfile")}
    plan = Plan(Table(profiles), class_store(["KVM"]), "1.0", further)
    register(plan, sfcb(fakes), state_dir)
    mof = (fakes.root / "stage/mofs/root/interop/virtcim-root-interop.mof").read_text()
    declared = re.findall(r"^class (\w+)", mof, re.MULTILINE)
    assert {"KVM_RegisteredProfile", "CIM_RegisteredSubProfile"} <= set(declared)
    assert not {"CIM_ManagedElement", "CIM_RegisteredProfile"} & set(declared)


def test_an_sfcb_without_formats_gets_its_only_one(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    """It is registered anew when another SFCB takes its place, and what is removed leaves SFCB's own format."""
    fakes.install_sfcb("CIM_Thing")
    (fakes.root / "old").touch()
    register(plan, sfcb(fakes), state_dir)
    (fakes.root / "old").unlink()
    register(plan, sfcb(fakes), state_dir)
    unregister(sfcb(fakes), state_dir)
    assert [line for line in fakes.said if line.startswith("sfcbrepos")] == [
        "sfcbrepos -f", "sfcbrepos -f -t std", "sfcbrepos -f",
    ]  # fmt: skip


def test_a_state_directory_of_others_stays(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    state_dir.mkdir()
    register(plan, sfcb(fakes), state_dir)
    unregister(sfcb(fakes), state_dir)
    assert list(state_dir.iterdir()) == []


def test_sfcb_again(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    register(plan, sfcb(fakes), state_dir)
    after, said = fakes.tree(), len(fakes.said)
    register(plan, sfcb(fakes), state_dir)
    assert fakes.tree() == after
    assert len(fakes.said) == said


@pytest.mark.parametrize("gone", ["stage/mofs/root/toy/virtcim-root-toy.mof", "stage/regs/virtcim.reg"])
@pytest.mark.parametrize("left", [None, "class Something_Else {\n};\n"])
def test_what_is_missing_in_sfcb_is_put_back(
    fakes: Fakes, state_dir: Path, plan: Plan, gone: str, left: str | None
) -> None:
    fakes.install_sfcb("CIM_Thing")
    register(plan, sfcb(fakes), state_dir)
    after = fakes.tree()
    (fakes.root / gone).unlink()
    if left is not None:
        (fakes.root / gone).write_text(left)
    register(plan, sfcb(fakes), state_dir)
    assert fakes.tree() == after
    assert fakes.said[-1] == "sfcbrepos -f -t std"


def test_a_schema_that_is_missing_in_sfcb_is_put_back(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb()
    register(plan, sfcb(fakes), state_dir)
    after = fakes.tree()
    (fakes.root / "schema/CIM_Schema.mof").unlink()
    register(plan, sfcb(fakes), state_dir)
    assert fakes.tree() == after
    assert fakes.said[-1] == "sfcbrepos -f -t std"


def test_an_sfcb_whose_shell_writes_the_options_of_echo(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    (fakes.root / "echoes").touch()
    before = fakes.tree()
    register(plan, sfcb(fakes), state_dir)
    assert (fakes.root / "stage/regs/virtcim.reg").exists()
    unregister(sfcb(fakes), state_dir)
    assert fakes.tree() == before


def test_an_sfcb_without_schema_gets_one(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb()
    before = fakes.tree()
    register(plan, sfcb(fakes), state_dir)
    assert "Qualifier Key" in (fakes.root / "schema/CIM_Schema.mof").read_text()
    register(plan, sfcb(fakes), state_dir)
    # SFCB makes its last repository while the schema is there: it could not make one without.
    unregister(sfcb(fakes), state_dir)
    assert fakes.tree() == before


def test_a_registration_by_another_version(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    register(plan, sfcb(fakes), state_dir)
    (line,) = status([sfcb(fakes)], state_dir, "1.1")
    assert line.endswith("root/far; this is virtcim 1.1: register again")


def test_sfcb_is_restarted(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing", running="sfcb")
    register(plan, sfcb(fakes, running=True), state_dir)
    changes = [line for line in fakes.log if line.startswith(("systemctl st", "sfcbrepos -f"))]
    assert changes == ["systemctl stop sfcb", "sfcbrepos -f -t std", "systemctl start sfcb"]


def test_an_sfcb_that_systemd_does_not_know(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    register(plan, sfcb(fakes, running=True), state_dir)
    assert "restart SFCB" in fakes.said[-1]


def test_sfcb_failing_half_way_can_be_undone(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    before = fakes.tree()
    (fakes.root / "broken").touch()
    with pytest.raises(RegistrationError, match="syntax error"):
        register(plan, sfcb(fakes), state_dir)
    assert status([sfcb(fakes)], state_dir, "1.0") == [
        "sfcb: stopped, partly registered; this is virtcim 1.0: register again"
    ]
    (fakes.root / "broken").unlink()
    unregister(sfcb(fakes), state_dir)
    assert fakes.tree() == before


def test_a_removal_that_fails_leaves_a_part(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    before = fakes.tree()
    register(plan, sfcb(fakes), state_dir)
    (fakes.root / "broken").touch()
    with pytest.raises(RegistrationError, match="syntax error"):
        unregister(sfcb(fakes), state_dir)
    assert status([sfcb(fakes)], state_dir, "1.0") == ["sfcb: stopped, partly registered"]
    (fakes.root / "broken").unlink()
    unregister(sfcb(fakes), state_dir)
    assert fakes.tree() == before


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("interop", ["root/PG_InterOp", "root/interop"])
def test_pegasus_and_back(fakes: Fakes, state_dir: Path, plan: Plan, running: bool, interop: str) -> None:
    fakes.install_pegasus(running=running, interop=interop)
    before = fakes.pegasus
    register(plan, Pegasus(fakes.tools()), state_dir)
    state = fakes.pegasus
    assert "virtcim" in state["modules"]
    assert "Toy_System" in state["namespaces"]["root/toy"]["classes"]
    assert any(line.startswith("cimmof " if running else "cimmofl ") and f"-n {interop}" in line for line in fakes.log)
    register(plan, Pegasus(fakes.tools()), state_dir)
    assert fakes.pegasus == state
    if not running:
        with pytest.raises(RegistrationError, match="start cimserver"):
            unregister(Pegasus(fakes.tools()), state_dir)
        fakes.run_pegasus()
    assert "pegasus: running, registered by virtcim 1.0" in status([Pegasus(fakes.tools())], state_dir, "1.0")[0]
    unregister(Pegasus(fakes.tools()), state_dir)
    assert fakes.pegasus == before


def test_classes_that_pegasus_had_before_stay(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_pegasus()
    state = fakes.pegasus
    state["namespaces"]["root/toy"] = {"classes": ["Toy_Element", "Toy_Setting"], "qualifiers": ["Key"]}
    (fakes.root / "pegasus.json").write_text(json.dumps(state))
    register(plan, Pegasus(fakes.tools()), state_dir)
    assert any("-uc" in line for line in fakes.log)
    unregister(Pegasus(fakes.tools()), state_dir)
    assert fakes.pegasus["namespaces"]["root/toy"] == state["namespaces"]["root/toy"]


def test_classes_that_pegasus_puts_into_our_namespaces_go(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_pegasus()
    before = fakes.pegasus
    register(plan, Pegasus(fakes.tools()), state_dir)
    state = fakes.pegasus
    state["namespaces"]["root/toy"]["classes"].append("PG_RegisteredProfile")
    (fakes.root / "pegasus.json").write_text(json.dumps(state))
    unregister(Pegasus(fakes.tools()), state_dir)
    assert fakes.pegasus == before


def test_what_others_use_meanwhile_stays(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_pegasus()
    register(plan, Pegasus(fakes.tools()), state_dir)
    state = fakes.pegasus
    state["in_use"] = ["Toy_Named"]
    (fakes.root / "pegasus.json").write_text(json.dumps(state))
    unregister(Pegasus(fakes.tools()), state_dir)
    assert fakes.pegasus["namespaces"]["root/toy"]["classes"] == ["Toy_Named"]
    assert "Toy_Named stays in root/toy: something else uses it" in fakes.said


def test_dry_run_changes_nothing(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_pegasus()
    fakes.install_sfcb()
    before = fakes.tree()
    for server in (Pegasus(fakes.tools(dry_run=True)), sfcb(fakes, dry_run=True)):
        register(plan, server, state_dir)
    assert fakes.tree() == before
    assert not state_dir.exists()
    assert any(line.startswith("cimmof ") for line in fakes.said)
    assert "sfcbrepos -f -t std" in fakes.said
    register(plan, Pegasus(fakes.tools()), state_dir)
    before = fakes.tree()
    unregister(Pegasus(fakes.tools(dry_run=True)), state_dir)
    assert fakes.tree() == before
    assert "registered by" in status([Pegasus(fakes.tools())], state_dir, "1.0")[0]


def test_a_registration_that_nothing_is_remembered_of(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_pegasus()
    register(plan, Pegasus(fakes.tools()), state_dir)
    (state_dir / "registrations.json").unlink()
    assert status([Pegasus(fakes.tools())], state_dir, "1.0") == ["pegasus: running, registered by somebody else"]
    with pytest.raises(RegistrationError, match="register again"):
        unregister(Pegasus(fakes.tools()), state_dir)
    (state_dir / "registrations.json").write_text("{")
    with pytest.raises(RegistrationError, match=r"registrations\.json cannot be read"):
        status([Pegasus(fakes.tools())], state_dir, "1.0")


def test_a_link_in_the_state_directory_leads_nowhere(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    fakes.install_sfcb("CIM_Thing")
    state_dir.mkdir()
    victim = fakes.root / "victim"
    victim.write_text("precious")
    (state_dir / "registrations.new").symlink_to(victim)
    (state_dir / "registrations.json.new").symlink_to(victim)
    register(plan, sfcb(fakes), state_dir)
    assert victim.read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_another_user_remembers_removes_nothing(fakes: Fakes, state_dir: Path, plan: Plan) -> None:
    """The state directory is that of the server's user; root registers, and removes what the file names."""
    fakes.install_sfcb("CIM_Thing")
    register(plan, sfcb(fakes), state_dir)
    victim, remembered = fakes.root / "victim", state_dir / "registrations.json"
    victim.write_text("precious")
    records = json.loads(remembered.read_text())
    records["sfcb"]["files"].append(str(victim))
    remembered.write_text(json.dumps(records))
    os.chown(remembered, 12345, 12345)
    with pytest.raises(RegistrationError, match="it belongs to the user 12345; expected 0 or root"):
        unregister(sfcb(fakes), state_dir)
    assert victim.read_text() == "precious"


def without(plan: Plan, namespace: str) -> Plan:
    """A plan without a namespace, as when a node was removed."""
    return replace(plan, table=Table(each for each in plan.table.entries if each.namespace != namespace))


@pytest.mark.parametrize("kind", ["sfcb", "pegasus"])
def test_a_namespace_that_went_is_taken_out(fakes: Fakes, state_dir: Path, plan: Plan, kind: str) -> None:
    if kind == "sfcb":
        fakes.install_sfcb("CIM_Thing")
    else:
        fakes.install_pegasus()
    state_dir.mkdir()

    def server() -> Sfcb | Pegasus:
        return sfcb(fakes) if kind == "sfcb" else Pegasus(fakes.tools())

    register(plan, server(), state_dir)
    (line,) = status([server()], state_dir, "1.0", "root", ["root/toy", "root/new"])
    assert line.endswith("; root/new came and root/far went since: register again")
    register(without(plan, "root/far"), server(), state_dir)
    assert not [name for name, text in fakes.tree().items() if "root/far" in name or "root/far" in text]
    (line,) = status([server()], state_dir, "1.0", "root", ["root/toy"])
    assert line.endswith("registered by virtcim 1.0 in root/toy")
