"""wbemcli, the strictest reader of the three common clients."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.cimom.harness import RunningServer
from tests.cimom.toy import ODD_NAMES, Toy

WBEMCLI = shutil.which("wbemcli")

pytestmark = pytest.mark.skipif(
    WBEMCLI is None and not os.environ.get("CI"), reason="wbemcli (Debian: sblim-wbemcli) is not installed"
)


def wbemcli(server: RunningServer, operation: str, target: str, *more: str) -> str:
    assert WBEMCLI is not None
    run = subprocess.run(
        [WBEMCLI, "-nl", operation, f"{server.url}/root/toy:{target}", *more],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Exception" not in run.stderr
    return run.stdout


def system(name: str) -> str:
    return f'Toy_System.CreationClassName="Toy_System",Name="{name}"'


def test_names_and_instances(server: RunningServer) -> None:
    names = wbemcli(server, "ein", "Toy_Element").splitlines()
    assert len(names) == 16
    assert any("emoji \U0001f427" in name for name in names)
    instances = wbemcli(server, "ei", "Toy_Element")
    assert instances.count("-EnabledState=") == 16


def typed(name: str) -> str:
    """A key as a user has to type it: wbemcli puts it into the XML as it is."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if "," not in name])
def test_odd_names(server: RunningServer, toy: Toy, name: str) -> None:
    assert "-EnabledState=2" in wbemcli(server, "gi", system(typed(name)))
    assert " 0" in wbemcli(server, "cm", system(typed(name)), "Change.State=3")
    assert toy.provider.calls[-1][1] == {"CreationClassName": "Toy_System", "Name": name}


def test_all_types(server: RunningServer) -> None:
    text = wbemcli(server, "gi", system("typed"))
    assert "-U64=18446744073709551615" in text
    assert "-S8=-128" in text
    assert "-Dedicated=TRUE" in text
    assert "-Codes=1,2,65535" in text
    assert "-Settings=" in text


def test_associations(server: RunningServer) -> None:
    assert len(wbemcli(server, "ain", system("plain")).splitlines()) == 4
    assert len(wbemcli(server, "rin", system("plain")).splitlines()) == 4
    assert wbemcli(server, "ai", system("plain")).count("-EnabledState") == 4
    assert wbemcli(server, "ri", system("plain")).count("-Slot=") == 2


def test_classes(server: RunningServer) -> None:
    assert len(wbemcli(server, "ecn", "").splitlines()) == 13
    assert "Toy_SpecialSystem" in wbemcli(server, "ec", "")
    assert "Toy_Disk" in wbemcli(server, "gc", "Toy_Disk")


def test_methods(server: RunningServer, toy: Toy) -> None:
    assert " 0" in wbemcli(server, "cm", system("plain"), "Change.State=3")
    assert toy.provider.calls[-1][3] == {"State": 3}
    assert "4097" in wbemcli(server, "cm", system("a/b"), "Change.State=200")


def test_changes(server: RunningServer, toy: Toy) -> None:
    disk = 'Toy_Disk.CreationClassName="Toy_Disk",Name="{}"'
    wbemcli(server, "ci", disk.format("new"), 'CreationClassName="Toy_Disk",Name="new",Size=5')
    assert toy.provider.stores["Toy_Disk"]["new"].values["Size"] == 5
    assert "5" in wbemcli(server, "gp", disk.format("new"), "Size")
    wbemcli(server, "mi", disk.format("new"), "Size=6")
    assert toy.provider.stores["Toy_Disk"]["new"].values["Size"] == 6
    wbemcli(server, "di", disk.format("new"))
    assert "new" not in toy.provider.stores["Toy_Disk"]


def test_errors_are_shown(server: RunningServer) -> None:
    assert WBEMCLI is not None
    run = subprocess.run(
        [WBEMCLI, "gi", f"{server.url}/root/toy:{system('absent')}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "CIM_ERR_NOT_FOUND" in run.stderr
    assert "No such instance (absent)" in run.stderr
