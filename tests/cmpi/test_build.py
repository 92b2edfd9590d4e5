"""Building the library: what `make` is given counts, also after another build."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cmpi.broker import ROOT


def build(directory: Path, *settings: str) -> int:
    """Run `make cmpi` and return the time at which the library was written, in nanoseconds."""
    command = ["make", "-f", "cmpi/build.mk", "cmpi", f"CMPI_BUILD={directory}", *settings]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return (directory / "libvirtcim.so").stat().st_mtime_ns


def test_another_setting_builds_again(tmp_path: Path) -> None:
    first = build(tmp_path)
    assert build(tmp_path) == first, "nothing has changed"
    assert b"/run/virtcim/cmpi.sock" in (tmp_path / "libvirtcim.so").read_bytes()
    assert build(tmp_path, "CMPI_SOCKET=/run/elsewhere/cmpi.sock") > first
    assert b"/run/elsewhere/cmpi.sock" in (tmp_path / "libvirtcim.so").read_bytes()
