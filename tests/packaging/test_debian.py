"""The packages in a Debian 12 that has nothing but its base system: apt installs them, and a client gets an answer.

The base system is made once, in `build/`, by debootstrap; each test writes to a root of its own above it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from release.wheels import library_wheels, own_wheel
from tests.conftest import missing
from tests.packaging.cleanroot import CleanRoot, why_unavailable
from tests.packaging.packages import ROOT, TEST_DRIVER, build, service, why_not_built

pytestmark = [pytest.mark.root, pytest.mark.slow]

BASE = ROOT / "build" / "debian-12"

NAMES = 'Test_ComputerSystem.CreationClassName="Test_ComputerSystem",Name="test"'


@pytest.fixture(scope="module")
def base() -> Path:
    """The base system of Debian 12, with the lists of its packages, and with what a client needs."""
    if (reason := why_unavailable()) is not None:
        missing(reason)
    if shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is not installed")
    if not BASE.exists():
        made = BASE.with_name(f"{BASE.name}.new")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", made],
            check=True,
            timeout=1500,
            stdout=subprocess.DEVNULL,
        )
        made.rename(BASE)
    return BASE


@pytest.fixture(scope="module")
def packages(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packages as they are given away."""
    if (reason := why_not_built()) is not None:
        missing(reason)
    return build(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def root(base: Path) -> Iterator[CleanRoot]:
    """The base system, with the network for apt alone."""
    with CleanRoot(base) as made:
        for name in ("etc/resolv.conf", "etc/hosts"):
            shutil.copyfile(Path("/", name), made.path / name)
        (made.path / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n" + Path("/etc/hosts").read_text())
        # debootstrap's own source is main of the release alone: that has to be enough.
        made.run("apt-get", "update", "--quiet", network=True)
        yield made


def apt_install(root: CleanRoot, *what: str) -> None:
    root.run(
        *("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *what),
        network=True,
        DEBIAN_FRONTEND="noninteractive",
    )


def test_from_apt_to_the_answer_for_a_user_of_the_system(
    root: CleanRoot, packages: dict[str, Path], record_property: Callable[[str, object], None]
) -> None:
    """As docs/install.md has it: install, say who may log in and by which certificate, ask over HTTPS."""
    file = root.put(packages["virtcim"])
    began = time.monotonic()
    apt_install(root, file, "sblim-wbemcli")
    assert [line for line in root.run("dpkg", "--audit").splitlines() if line] == []
    root.shell("useradd --create-home ann; echo ann:secret | chpasswd")
    config = root.path / "etc/virtcim/virtcim.toml"
    shipped = config.read_text()
    config.write_text(
        TEST_DRIVER + shipped.replace('#auth = "pam"', 'auth = "pam"').replace("#self_signed", "self_signed")
    )
    ask = ("wbemcli", "-cacert", "/var/lib/virtcim/certificate.pem", "ein")
    with service(root, "virtcim.socket", "virtcim-https.socket", groups="libvirt,shadow"):
        found = root.shell(
            # The first client starts the server, which makes the certificate.
            "for try in $(seq 60); do test -e /var/lib/virtcim/certificate.pem && break; "
            "bash -c 'exec 3<>/dev/tcp/127.0.0.1/5988' || true; sleep 0.5; done\n"
            f"{' '.join(ask)} https://ann:secret@localhost:5989/root/virt:Virt_ComputerSystem"
        )
        record_property("seconds", round(time.monotonic() - began, 1))
        assert NAMES in found
        refused = root.try_run(*ask, "https://ann:wrong@localhost:5989/root/virt:Virt_ComputerSystem")
        assert refused.returncode != 0
        assert NAMES not in refused.stdout
    done = root.try_run("virtcim", "check", "--config", "/etc/virtcim/virtcim.toml")
    assert done.returncode != 2, done.stderr
    apt_remove = ("apt-get", "purge", "--yes", "--quiet", "virtcim")
    root.run(*apt_remove, DEBIAN_FRONTEND="noninteractive")
    assert not any((root.path / name).exists() for name in ("usr/lib/virtcim", "var/lib/virtcim", "etc/virtcim"))


def steps(containerfile: str) -> Iterator[tuple[str, str]]:
    """Give the instructions of a container file with their arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", containerfile, flags=re.MULTILINE).replace("\\\n", "")
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word:
            yield word, rest.strip()


HEALTH = """
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile="/var/lib/virtcim/certificate.pem")
print(urllib.request.urlopen("https://localhost:5989/health", context=context).read().decode())
"""


def test_the_steps_of_the_container_file(root: CleanRoot, packages: dict[str, Path]) -> None:
    """One by one, as podman would carry them out, up to an answer over HTTPS."""
    text = (ROOT / "packaging/container/Containerfile").read_text()
    user, entry = "root", []
    for word, rest in steps(text):
        match word:
            case "FROM":
                assert rest.endswith("debian:12-slim")
            case "COPY":
                assert rest == "dist/virtcim_*.deb /tmp/"
                root.put(packages["virtcim"])
            case "RUN":
                root.run("sh", "-euc", rest, network=True, DEBIAN_FRONTEND="noninteractive")
            case "USER":
                user = rest
            case "ENTRYPOINT" | "CMD":
                entry += json.loads(rest)
            case _:
                assert word in {"VOLUME", "EXPOSE"}
    assert not list((root.path / "tmp").glob("*.deb"))
    (root.path / "etc/virtcim/virtcim.toml").write_text(TEST_DRIVER)
    server = subprocess.Popen(
        root.command("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *entry),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout is not None
        said = []
        for line in server.stdout:
            said.append(line)
            if "listening on https://" in line:
                break
        else:
            pytest.fail(f"it ended: {said}")
        assert "ok" in root.run("/usr/lib/virtcim/bin/python3", "-c", HEALTH)
    finally:
        # nsenter has made a process in there, and ends with it.
        for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGTERM)
        server.communicate(timeout=60)


def test_pip_and_pipx_install_the_wheel(root: CleanRoot, tmp_path: Path) -> None:
    """With the libraries of the lock file, as wheels: each is pure, or was built by this Python."""
    (root.path / "tmp/wheels").mkdir()
    for wheel in (*library_wheels(), own_wheel(tmp_path)):
        shutil.copyfile(wheel, root.path / "tmp/wheels" / wheel.name)
    apt_install(root, "pipx", "python3-venv", "libvirt0")
    # pipx wants pip, setuptools and wheel, which Debian has as wheels.
    options = "--no-index --find-links /tmp/wheels --find-links /usr/share/python-wheels"
    root.shell(f"python3 -m venv /opt/virtcim; /opt/virtcim/bin/pip install --quiet {options} virtcim")
    root.shell(f"pipx install --pip-args '{options}' /tmp/wheels/virtcim-*.whl")
    for program in ("/opt/virtcim/bin/virtcim", "/root/.local/bin/virtcim"):
        assert root.run(program, "--version").startswith("virtcim ")
        done = root.try_run(program, "check", "--uri", "test:///default", "--json")
        report = json.loads(done.stdout)
        assert any("test:///default" in each["text"] for each in report["findings"]), report


ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -U compinit; compinit -u -D; print READY'
zpty -r -m shell line '*READY*READY*'
zpty -n -w shell 'virtcim guest p'$'\\t'
zpty -r -m shell line '*pause*'
print found
"""
"""Types into a shell of its own, as a person would."""


def test_fish_and_zsh_complete(root: CleanRoot, packages: dict[str, Path]) -> None:
    apt_install(root, root.put(packages["virtcim"]), "fish", "zsh")
    for line, expected in (
        ("virtcim s", {"serve", "status", "subscriptions"}),
        ("virtcim guest p", {"pause"}),
        ("virtcim serve --tls ", {"self-signed"}),
        ("virtcim serve --config /etc/virtcim/vir", {"/etc/virtcim/virtcim.toml"}),
    ):
        said = root.run("fish", "-c", 'complete -C "$argv"', line, HOME="/tmp")
        assert {each.partition("\t")[0] for each in said.splitlines()} == expected, line
    assert root.run("timeout", "60", "zsh", "-f", "-c", ZSH, TERM="dumb").endswith("found\n")
