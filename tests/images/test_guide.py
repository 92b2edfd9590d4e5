"""What docs/templates.md says that one can type, typed by a shell in its order: each line does it, and prints what is
printed there."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bed.server import ROOT
from tests.images.provisioningbed import KEY, Provisioner

PAGE = ROOT / "docs/templates.md"

BY_THE_BED = ("# virsh pool-create-as images", "# printf '[images]", "# systemctl restart virtcim")
"""What the fixtures have done with a pool, settings and a server of their own."""

EDITOR = """\
#!/bin/sh
sed -i 's/^title = .*/title = "Edited"/' "$1"
"""


def typed() -> Iterator[tuple[str, list[str]]]:
    """The lines of the page that are typed, each with the lines that it is said to print."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        found: list[tuple[str, list[str]]] = []
        for line in block.splitlines():
            if line.startswith(("$ ", "# ")):
                found.append((line, []))
            else:
                found[-1][1].append(line)
        yield from found


def example() -> str:
    """The template that the page shows."""
    blocks: list[str] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return next(block for block in blocks if block.startswith('id = "debian-web"'))


@pytest.fixture
def desk(provisioner: Provisioner, tmp_path: Path) -> Path:
    """A directory with what the page takes for granted: an image, a key, the template that it shows."""
    provisioner.images.files["/debian-12.qcow2"] = provisioner.image
    url = f"{provisioner.images.url}/debian-12.qcow2"
    shown = example().replace("https://images.example.com/debian-12.qcow2", url)
    assert url in shown
    shown = shown.replace('sha256 = "..."', f'sha256 = "{hashlib.sha256(provisioner.image).hexdigest()}"', 1)
    (tmp_path / "debian-web.toml").write_text(shown)
    (tmp_path / "linux.qcow2").write_bytes(provisioner.daemon.new_image().read_bytes() + b"\0" * 512)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519.pub").write_text(f"{KEY}\n")
    editor = tmp_path / "editor"
    editor.write_text(EDITOR)
    editor.chmod(0o755)
    return tmp_path


def shell(provisioner: Provisioner, desk: Path, line: str) -> str:
    """Type a line; what it prints."""
    server = provisioner.server
    command = f"{shlex.quote(sys.executable)} -m virtcim.app.main"
    # Where there is no KVM, who makes a template says so.
    line = line.replace("linux linux.qcow2", "linux linux.qcow2 --setting DomainType=qemu")
    done = subprocess.run(
        ["bash", "-euc", f'virtcim() {{ {command} "$@" --url {server.url} --user {server.user}; }}\n{line}'],
        cwd=desk,
        env={
            **os.environ,
            "HOME": str(desk),
            "EDITOR": str(desk / "editor"),
            "PYTHONPATH": str(ROOT),
            "VIRTCIM_PASSWORD": server.password or "",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_line_does_what_is_printed(provisioner: Provisioner, desk: Path) -> None:
    lines = list(typed())
    assert [line for line, _ in lines if line.startswith("# ") and not line.startswith(BY_THE_BED)] == []
    for line, printed in lines:
        if line.startswith("# "):
            continue
        said = shell(provisioner, desk, line.removeprefix("$ ")).splitlines()
        for each in printed:
            assert each == "..." or each in said, line
    running = provisioner.daemon.list_all()
    assert [running[f"web-{number}"] for number in range(2, 11)] == ["running"] * 9
    assert (running["web-1"], running["web-test"], running["web-dev"]) == ("shut off", "running", "shut off")
