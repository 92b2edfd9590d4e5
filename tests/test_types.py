"""What mypy finds: the types of libvirt are libvirt's own, and a wrong call of it is found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def check(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a program of mypy's says with the types and settings of this project."""
    environment = {**os.environ, "MYPYPATH": str(ROOT / "stubs")}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_the_types_of_libvirt_are_true(tmp_path: Path) -> None:
    """Every name that the stub declares exists, and takes what the stub says it takes."""
    allowed = tmp_path / "allowed"
    allowed.write_text(r"libvirt\.vir\w+\.__init__" + "\n")
    found = check(
        "mypy.stubtest", "libvirt", "--ignore-missing-stub", "--ignore-positional-only", "--allowlist", str(allowed)
    )
    assert found.returncode == 0, found.stdout


CALLS = {
    "connection.close()": "",
    "connection.lookupByUUID2('x')": 'has no attribute "lookupByUUID2"',
    "connection.lookupByUUIDString(7)": "incompatible type",
    "connection.lookupByUUIDString('x').setMemoryFlags('7')": "incompatible type",
    "connection.listAllDomains(0)[0].createXML()": 'has no attribute "createXML"',
    "libvirt.VIR_DOMAIN_XML_SEKURE": 'Module has no attribute "VIR_DOMAIN_XML_SEKURE"',
}
"""Calls of libvirt, and what mypy says of each; nothing of one that is right."""


def test_a_wrong_call_of_libvirt_is_found(tmp_path: Path) -> None:
    module = tmp_path / "calls.py"
    lines = ["import libvirt", "def call(connection: libvirt.virConnect) -> None:", *(f"    {call}" for call in CALLS)]
    module.write_text("\n".join(lines) + "\n")
    found = check("mypy", "--config-file", str(ROOT / "setup.cfg"), "--strict", str(module))
    for number, complaint in enumerate(CALLS.values(), start=3):
        said = [line for line in found.stdout.splitlines() if f"calls.py:{number}: error" in line]
        assert len(said) == bool(complaint), found.stdout + found.stderr
        assert all(complaint in line for line in said)
