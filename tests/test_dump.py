"""The dump of a server is the same each time, and comparing finds what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import pywbem

from tests.bed import Server
from tests.bed.server import ROOT
from tests.bed.views import ENABLED, QUIESCE
from tests.dump import recorded_libvirt
from tests.dump.comparison import differences, report
from tests.dump.facts import Fact, Shown, value_text
from tests.dump.sources import await_guests, recorded_corpus, recorded_hosts
from tests.dump.trees import Tree
from tests.dump.volatile import lines_of
from tests.providers.recorded import DOMAINS
from tests.walk import Wire
from tests.walk.wire import PropertyValue

GUEST = 'root/virt:test_computersystem.creationclassname="Test_ComputerSystem",name="test"'


EMBEDDED = (
    '<PROPERTY NAME="B" TYPE="string"></PROPERTY>',
    '<PROPERTY NAME="A" TYPE="string"><VALUE>1</VALUE></PROPERTY>',
)


def dumped(server: Server) -> list[str]:
    """The lines of what a server shows in its main namespace, with the declarations of the test driver's classes."""
    with Wire(server.login_url) as wire:
        return lines_of(Shown(wire, ["root/virt"], "Test_").everything())


@pytest.fixture(scope="module")
def lines(default_server: Server) -> list[str]:
    """A dump of libvirt's test driver."""
    return dumped(default_server)


def found(before: list[str], after: list[str]) -> list[tuple[str, str, str | None, str | None]]:
    """The differences, each as a tuple."""
    return [(each.what, each.subject, each.before, each.after) for each in differences(before, after)]


def the_line(lines: list[str], beginning: str) -> str:
    """The one line that begins so."""
    (line,) = (each for each in lines if each.startswith(beginning))
    return line


def test_a_server_is_dumped_alike_twice(default_server: Server, lines: list[str]) -> None:
    assert dumped(default_server) == lines
    assert found(lines, lines) == []


def test_a_dump_has_what_a_server_shows(lines: list[str]) -> None:
    assert f"instance {GUEST}\tTest_ComputerSystem" in lines
    assert f'property {GUEST} EnabledState\tuint16 "2"' in lines
    assert any(each.startswith(f"associated {GUEST} root/virt:test_memory.") for each in lines)
    assert any(each.startswith(f"reference {GUEST} root/virt:test_systemdevice.") for each in lines)
    assert any(each.startswith("instance root/virt:test_systemdevice.") for each in lines)
    assert any(each.startswith("reached root/virt:test_procresourceallocationsettingdata.") for each in lines)
    assert "TYPE=uint32" in the_line(lines, "method Test_ComputerSystem.RequestStateChange\t")


def test_a_changed_property_is_found(default_server: Server, lines: list[str]) -> None:
    with default_server.pywbem() as connection:
        (guest,) = connection.EnumerateInstanceNames("Test_ComputerSystem")
        connection.InvokeMethod("RequestStateChange", guest, [("RequestedState", pywbem.Uint16(QUIESCE))])
        try:
            changes = found(lines, dumped(default_server))
        finally:
            connection.InvokeMethod("RequestStateChange", guest, [("RequestedState", pywbem.Uint16(ENABLED))])
    assert ("changed", f"property {GUEST} EnabledState", 'uint16 "2"', 'uint16 "9"') in changes
    assert {what for what, _, _, _ in changes} == {"changed"}


def test_a_lost_association_is_found(lines: list[str]) -> None:
    lost = the_line(lines, f"associated {GUEST} root/virt:test_memory.")
    (change,) = differences(lines, [each for each in lines if each != lost])
    assert (change.what, f"{change.subject}\t") == ("lost", lost)
    assert "lost: associated root/virt:test_computersystem.creationclassname=*,name=*" in report([change])


def test_a_changed_parameter_of_a_method_is_found(lines: list[str]) -> None:
    line = the_line(lines, "parameter Test_ComputerSystem.RequestStateChange(RequestedState)\t")
    changed = line.replace("TYPE=uint16", "TYPE=uint32")
    assert changed != line
    subject, _, text = line.partition("\t")
    after = [changed if each == line else each for each in lines]
    assert found(lines, after) == [("changed", subject, text, changed.partition("\t")[2])]


def test_what_stands_more_often_is_found() -> None:
    assert found(["a\t1", "a\t1"], ["a\t1"]) == [("lost", "a", "1", None)]
    assert found(["a\t1"], ["a\t2", "a\t1"]) == [("new", "a", None, "2")]


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        (
            Fact("property x StartTime", 'datetime "20260101123059.000000+060"'),
            'property x StartTime\tdatetime "<time>"',
        ),
        (
            Fact("property x ElapsedTime", 'datetime "00000000000012.000000:000"'),
            "property x ElapsedTime\tdatetime <interval>",
        ),
        (Fact("property x TimeBeforeRemoval", 'datetime "00000000000500.000000:000"'), None),
        (Fact("property x Address", 'string "/dev/pts/17"'), 'property x Address\tstring "/dev/pts/<number>"'),
        (
            Fact(
                "property x Address", 'string "/tmp/virtcim-bed-a_3/lib/images/0123456789abcdef0123456789abcdef.qcow2"'
            ),
            'property x Address\tstring "<directory>/lib/images/<image>.qcow2"',
        ),
    ],
)
def test_what_no_two_runs_have_alike_is_replaced(fact: Fact, line: str | None) -> None:
    assert lines_of([fact]) == [line or f"{fact.subject}\t{fact.text}"]


def test_an_embedded_instance_is_the_same_in_any_order() -> None:
    first, second = (
        PropertyValue("P", "string", False, True, f'<INSTANCE CLASSNAME="C">{"".join(order)}</INSTANCE>')
        for order in (EMBEDDED, reversed(EMBEDDED))
    )
    assert value_text(first) == value_text(second) == 'string embedded C{A=string "1", B=string NULL}'


def test_the_script_of_a_tree(tmp_path: Path) -> None:
    scripts = "[options.entry_points]\nconsole_scripts =\n    other = a:b\n    virtcim = virtcim.app.main:main\n"
    (tmp_path / "setup.cfg").write_text(scripts)
    assert Tree(tmp_path, "python3").entry_point == "virtcim.app.main:main"
    (tmp_path / "setup.cfg").write_text("[metadata]\nname = virtcim\n")
    with pytest.raises(LookupError, match="no console script 'virtcim'"):
        _ = Tree(tmp_path, "python3").entry_point


def test_this_tree_is_served_by_its_script() -> None:
    with Tree(ROOT, sys.executable).server("test:///default") as server, server.pywbem() as connection:
        assert len(connection.EnumerateInstanceNames("Test_ComputerSystem")) == 1


def test_a_server_without_the_guests_of_a_platform_is_not_dumped(default_server: Server) -> None:
    with Wire(default_server.login_url) as wire:
        await_guests(wire, ["Test"])
        with pytest.raises(AssertionError, match="no KVM_ComputerSystem, Xen_ComputerSystem is shown"):
            await_guests(wire, ["Test", "KVM", "Xen"], timeout=0)


def test_a_recorded_host_is_met_however_a_tree_opens_it(tmp_path: Path) -> None:
    (tmp_path / "hosts.json").write_text(json.dumps(recorded_hosts()))
    (tmp_path / "opener.py").write_text(
        "import libvirt\n"
        "def main():\n"
        "    print(libvirt.open(URI).getHostname())\n"
        "    print(libvirt.openReadOnly(URI).getHostname())\n"
        "    print(libvirt.openAuth(URI, [[], None, None], 0).getHostname())\n"
        "    return 0\n"
        "URI = 'xen:///system'\n"
    )
    ran = subprocess.run(
        [sys.executable, recorded_libvirt.__file__, str(tmp_path / "hosts.json"), "opener:main"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == 3 * ["node.example.org"]


def test_recorded_hosts_are_served() -> None:
    with recorded_corpus(Tree(ROOT, sys.executable)) as source, source.server.pywbem() as connection:
        guests = connection.EnumerateInstanceNames("CIM_ComputerSystem")
        pools = connection.EnumerateInstanceNames("KVM_DiskPool")
    count = Counter(each.classname for each in guests)
    assert [count[f"{prefix}_ComputerSystem"] for prefix in ("Xen", "LXC", "Test")] == [2, 2, 1]
    assert count["KVM_ComputerSystem"] == len(list(DOMAINS.glob("*.xml"))) - 5 + len(("rich", "rare"))
    assert {each["InstanceID"] for each in pools} >= {"DiskPool/images", "DiskPool/layers"}
