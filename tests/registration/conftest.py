"""Fixtures: make-believe CIM servers, and the plan of the toy catalog."""

from __future__ import annotations

import io
import json
import runpy
import stat
import subprocess
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.cimom.toy import Toy, class_store
from virtcim.registration.cimservers import Plan
from virtcim.registration.table import make_table
from virtcim.registration.tools import Tools

SOURCE = Path(__file__).with_name("fake_tools.py")
SFCB = ("sfcbstage", "sfcbunstage", "sfcbrepos", "systemctl")
PEGASUS = ("cimserver", "cimconfig", "cimprovider", "cimmof", "cimmofl", "cimcli")


class Fakes:
    """The make-believe tools and what they did."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._bin = root / "bin"
        self._bin.mkdir(parents=True)
        self.said: list[str] = []
        monkeypatch.setenv("PATH", str(self._bin))
        monkeypatch.setenv("FAKE_ROOT", str(root))

    def install(self, *names: str) -> None:
        for name in names:
            path = self._bin / name
            path.write_text(f"#!{sys.executable}\n{SOURCE.read_text()}")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def stay_inside(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the tools do their work in this process, which takes a hundredth of the time of one of their own."""
        work = runpy.run_path(str(SOURCE))["main"]

        def run(command: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
            name, *arguments = command
            if not (self._bin / name).exists():
                return None
            said, complained = io.StringIO(), io.StringIO()
            with redirect_stdout(said), redirect_stderr(complained):
                try:
                    status = work(name, arguments)
                except Exception:
                    traceback.print_exc()
                    status = 1
            return subprocess.CompletedProcess(command, status, said.getvalue(), complained.getvalue())

        monkeypatch.setattr(Tools, "_run", staticmethod(run))

    def install_sfcb(self, *schema: str, running: str = "none") -> None:
        self.install(*SFCB)
        (self.root / "unit").write_text(running)
        (self.root / "stage" / "mofs").mkdir(parents=True)
        (self.root / "stage" / "regs").mkdir()
        (self.root / "stage" / "regs" / "other.reg").write_text("[Other_Class]\n")
        if schema:
            (self.root / "schema").mkdir()
            (self.root / "schema" / "CIM_Schema.mof").write_text("".join(f"class {name} {{\n}};\n" for name in schema))

    def install_pegasus(self, *, running: bool = True, interop: str = "root/PG_InterOp") -> None:
        self.install(*PEGASUS)
        namespaces: dict[str, Any] = {
            "root": {"classes": [], "qualifiers": []},
            interop: {"classes": ["PG_ProviderModule"], "qualifiers": ["Key"]},
        }
        state = {"modules": ["SomebodyElse"], "namespaces": namespaces, "in_use": []}
        (self.root / "pegasus.json").write_text(json.dumps(state, indent=1, sort_keys=True))
        directory = self.root / "repository" / interop.replace("/", "#") / "classes"
        directory.mkdir(parents=True)
        (directory / "PG_ProviderModule.#").touch()
        self.run_pegasus(running)

    def run_pegasus(self, running: bool = True) -> None:
        if running:
            (self.root / "running").touch()
        else:
            (self.root / "running").unlink(missing_ok=True)

    @property
    def pegasus(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.root / "pegasus.json").read_text())
        return state

    def tools(self, *, dry_run: bool = False) -> Tools:
        return Tools(self.said.append, dry_run=dry_run)

    @property
    def log(self) -> list[str]:
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []

    def tree(self) -> dict[str, str]:
        """All files but the log and the tools, to compare before and after."""
        return {
            str(path.relative_to(self.root)): path.read_text() if path.is_file() else ""
            for path in sorted(self.root.rglob("*"))
            if path.name not in ("log", "state") and self._bin not in (path, *path.parents)
        }


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fakes:
    return Fakes(tmp_path / "root", monkeypatch)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(scope="session")
def plan() -> Plan:
    """The plan of the toy catalog; its classes count as our own, none of them being named CIM_."""
    classes = class_store()
    return Plan(make_table(Toy().catalog, classes), classes, "1.0")
