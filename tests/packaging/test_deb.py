"""The Debian packages, installed in a root of their own: the service answers, and nothing is left in the end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.packaging.cleanroot import CleanRoot, why_unavailable
from tests.packaging.packages import ROOT, TEST_DRIVER, UNITS, Unit, build, service, why_not_built

SOCKETS = ("virtcim.socket", "virtcim-https.socket")

NAMES = 'Test_ComputerSystem.CreationClassName="Test_ComputerSystem",Name="test"'


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packages, with the libraries that the tests run with."""
    if (reason := why_not_built()) is not None:
        missing(reason)
    return build(tmp_path_factory.mktemp("deb"), "--trial")


@pytest.fixture(scope="module")
def root(packages: dict[str, Path]) -> Iterator[CleanRoot]:
    """This host's root with the packages installed over it."""
    if (reason := why_unavailable()) is not None:
        missing(reason)
    with CleanRoot() as made:
        made.run("dpkg", "--no-triggers", "-i", *(made.put(file) for file in packages.values()))
        yield made


def test_what_the_service_needs_is_there(root: CleanRoot) -> None:
    """The unit's program, configuration, user and directories: finding U2."""
    unit = Unit(root, "virtcim.service")
    program, *_, config = unit.one("Service", "ExecStart").split()
    assert root.run(program, "--version").startswith("virtcim ")
    assert root.run("test", "-r", config) == ""
    root.run("setpriv", "--reuid=virtcim", "--regid=virtcim", "--init-groups", "test", "-w", "/var/log/virtcim")
    assert "libvirt" in root.run("id", "-nG", "virtcim").split()
    assert root.shell("stat -c '%U %a' /var/lib/virtcim /var/log/virtcim") == "virtcim 700\nvirtcim 750\n"


def test_systemd_takes_the_units(root: CleanRoot) -> None:
    done = root.try_run("systemd-analyze", "verify", *(f"{UNITS}/{name}" for name in ("virtcim.service", *SOCKETS)))
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "virtcim" in line] == []
    assert root.run("systemctl", "--root=/", "is-enabled", "virtcim.socket") == "enabled\n"


def test_the_service_answers_over_each_of_its_sockets(root: CleanRoot) -> None:
    """As documented: the shipped configuration, with one line for what is served and one for the certificate."""
    config = root.path / "etc/virtcim/virtcim.toml"
    shipped = config.read_text()
    config.write_text(TEST_DRIVER + shipped.replace("#self_signed", "self_signed").replace("#audit_file", "audit_file"))
    with service(root, *SOCKETS):
        root.run("curl", "--silent", "--fail", "--retry", "5", "http://127.0.0.1:5988/health")
        login = (root.path / "var/lib/virtcim/password").read_text().strip()
        found = root.run(
            *("wbemcli", "-cacert", "/var/lib/virtcim/certificate.pem", "ein"),
            f"https://{login}@localhost:5989/root/virt:Virt_ComputerSystem",
        )
        assert NAMES in found
        root.run(
            *("wbemcli", "cm", f"http://{login}@127.0.0.1:5988/root/virt:{NAMES}"),
            "RequestStateChange.RequestedState=9",
        )
        answer = root.run(
            *("curl", "--silent", "--fail", "--unix-socket", "/run/virtcim/virtcim.sock", "http://localhost/health")
        )
        assert "ok" in answer
    audit = root.path / "var/log/virtcim/audit.log"
    assert '"RequestStateChange"' in audit.read_text()
    root.run("logrotate", "--force", "/etc/logrotate.d/virtcim")
    assert not audit.exists()


def test_the_configuration_is_taken_with_every_line_that_it_shows(root: CleanRoot) -> None:
    text = (ROOT / "packaging/virtcim.toml").read_text()
    shown = "\n".join(line.removeprefix("#") for line in text.splitlines() if not line.startswith("# "))
    once = shown.replace('auth = "pam"\n', "").replace('auth = "htpasswd:/etc/virtcim/htpasswd"\n', "")
    file = root.path / "tmp/all.toml"
    file.write_text(once)
    done = root.try_run("virtcim", "check", "--config", "/tmp/all.toml")
    assert done.returncode != 2, done.stderr


def test_manual_pages_are_well_formed(root: CleanRoot) -> None:
    for page in ("man1/virtcim.1.gz", "man5/virtcim.toml.5.gz"):
        done = root.try_run("man", "--warnings", "--local-file", f"/usr/share/man/{page}", MANWIDTH="100")
        assert done.returncode == 0
        assert done.stderr == ""
        assert "virtcim" in done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("virtcim s", {"serve", "status", "subscriptions"}),
        ("virtcim serve --aut", {"--auth"}),
        ("virtcim serve --tls ", {"self-signed"}),
        ("virtcim serve --config /etc/virtcim/vir", {"/etc/virtcim/virtcim.toml"}),
        ("virtcim serve --listen ", set()),
    ],
)
def test_bash_completes(root: CleanRoot, line: str, expected: set[str]) -> None:
    words = line.split(" ")
    script = (
        "source /usr/share/bash-completion/completions/virtcim\n"
        f"COMP_WORDS=({' '.join(repr(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
        '_virtcim || true; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    found = set(root.run("bash", "-c", script).split())
    assert expected <= found
    assert all(each.startswith(words[-1]) for each in found)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packages as they are given away."""
    if (reason := why_not_built()) is not None:
        missing(reason)
    return build(tmp_path_factory.mktemp("whole"))


@pytest.mark.slow
def test_the_same_source_makes_the_same_bytes(whole: dict[str, Path], tmp_path: Path) -> None:
    again = build(tmp_path)
    for name, file in whole.items():
        assert again[name].read_bytes() == file.read_bytes(), f"{name} differs: see diffoscope"


@pytest.mark.slow
def test_lintian_has_nothing_to_say(whole: dict[str, Path]) -> None:
    try:
        done = subprocess.run(
            ["lintian", "--fail-on", "error,warning", *map(str, whole.values())],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("lintian is not installed")
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_removal_and_purge_leave_nothing(whole: dict[str, Path]) -> None:
    with CleanRoot() as root:
        root.run("dpkg", "--no-triggers", "-i", *(root.put(file) for file in whole.values()))
        (root.path / "etc/virtcim/virtcim.toml").write_text(TEST_DRIVER)
        with service(root, "virtcim.socket"):
            root.run("curl", "--silent", "--fail", "http://127.0.0.1:5988/health")
        root.run("dpkg", "--remove", "virtcim")
        assert (root.path / "var/lib/virtcim/password").exists(), "removal keeps the state"
        assert not (root.path / "usr/lib/virtcim").exists()
        root.run("dpkg", "--purge", "virtcim", "virtcim-cmpi")
        assert root.run("bash", "-c", "getent passwd virtcim || true") == ""
        left = [
            str(path.relative_to(root.written))
            for path in root.written.rglob("*virtcim*")
            if path.is_dir() or path.is_file() or path.is_symlink()
        ]
        assert [each for each in left if not each.startswith("var/cache/man")] == []
