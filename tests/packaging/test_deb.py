"""The Debian packages, installed in a root of their own: the service answers, and nothing is left in the end."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.packaging.cleanroot import CleanRoot, why_unavailable
from tests.packaging.environments import build as wheel_of
from tests.packaging.packages import ROOT, TEST_DRIVER, UNITS, Unit, build, service, why_not_built

pytestmark = pytest.mark.root

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
        example = root.run("/usr/lib/virtcim/bin/python3", "/usr/share/doc/virtcim/examples/inventory.py")
        assert example.startswith("test: state 9\n  Test_LogicalDisk\n")
    audit = root.path / "var/log/virtcim/audit.log"
    assert '"RequestStateChange"' in audit.read_text()
    root.run("logrotate", "--force", "/etc/logrotate.d/virtcim")
    assert not audit.exists()


def test_nothing_is_compiled_when_the_service_starts(root: CleanRoot) -> None:
    """The package has the classes, and its server, which the test before has started, had them from there."""
    assert (root.path / "var/lib/virtcim/state.sqlite").exists()
    assert list((root.path / "var/lib/virtcim").glob("*.cache")) == []


def test_the_bill_of_materials_has_every_library(root: CleanRoot) -> None:
    bill = json.loads((root.path / "usr/share/doc/virtcim/virtcim.cdx.json").read_text())
    (site,) = (root.path / "usr/lib/virtcim/lib").glob("python3*/site-packages")
    installed = {(each.name, each.version) for each in importlib.metadata.distributions(path=[str(site)])}
    listed = [bill["metadata"]["component"], *bill["components"]]
    assert {(each["name"], each["version"]) for each in listed} == installed
    assert all(each["bom-ref"].startswith("pkg:pypi/") for each in listed)
    needed = {name for each in bill["dependencies"] for name in each["dependsOn"]}
    assert needed <= {each["bom-ref"] for each in listed}


EVENTFUL = """
import sys
import pywbem
connection = pywbem.WBEMConnection(sys.argv[1], tuple(open("/var/lib/virtcim/password").read().strip().split(":")))
made = sys.argv[2] == "make"
if made:
    interop = "root/interop"
    query = "SELECT * FROM CIM_InstModification WHERE SourceInstance ISA CIM_ComputerSystem"
    filter = connection.CreateInstance(pywbem.CIMInstance(
        "CIM_IndicationFilter", {"Name": "kept", "Query": query, "QueryLanguage": "DMTF:CQL"}), interop)
    listener = connection.CreateInstance(pywbem.CIMInstance(
        "CIM_ListenerDestinationCIMXML", {"Name": "kept", "Destination": "http://127.0.0.1:9"}), interop)
    connection.CreateInstance(pywbem.CIMInstance(
        "CIM_IndicationSubscription", {"Filter": filter, "Handler": listener}), interop)
    (guest,) = connection.EnumerateInstanceNames("Test_ComputerSystem", "root/virt")
    code, _ = connection.InvokeMethod("RequestStateChange", guest, RequestedState=pywbem.Uint16(9))
    assert code == 4096, code
for namespace, kept in (("root/interop", "CIM_IndicationSubscription"), ("root/virt", "CIM_ConcreteJob")):
    for path in connection.EnumerateInstanceNames(kept, namespace):
        path.host = None
        print(path)
"""
"""Makes a subscription and a job, and prints the paths of those that there are."""

EVENTFUL_COMMAND = ("/usr/lib/virtcim/bin/python3", "/tmp/eventful.py", "http://127.0.0.1:5988")
HEALTH = ("curl", "--silent", "--fail", "http://127.0.0.1:5988/health")


def lines_of(section: str) -> list[str]:
    """The command lines that a section of docs/install.md shows."""
    text = (ROOT / "docs/install.md").read_text(encoding="utf-8").replace("\\\n", " ")
    part = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [line.strip() for line in part.splitlines() if line.startswith("    ")]


def test_the_page_leads_to_an_answer_and_a_backup_back_to_what_was(root: CleanRoot) -> None:
    """Lines of docs/install.md as they stand there, where the service stands in for those of systemctl."""
    (root.path / "etc/virtcim/virtcim.toml").write_text(TEST_DRIVER + "[providers.jobs]\ngrace = 0\n")
    (root.path / "tmp/eventful.py").write_text(EVENTFUL)
    status, address, ask = (line for line in lines_of("The Debian package") if not line.startswith("apt "))
    lines = lines_of("Backup and restore")
    restoring = lines.index("systemctl stop virtcim.socket virtcim.service")
    with service(root, "virtcim.socket"):
        root.run(*HEALTH)
        assert "test:///default" in root.shell(status)
        assert NAMES in root.shell(f"{address}\n{ask}")
        made = root.run(*EVENTFUL_COMMAND, "make").splitlines()
        root.shell("\n".join(lines[:restoring]))
    root.shell("rm -r /var/lib/virtcim/* /etc/virtcim/*")
    root.shell("\n".join(line for line in lines[restoring:] if not line.startswith("systemctl ")))
    with service(root, "virtcim.socket"):
        root.run(*HEALTH)
        assert root.run(*EVENTFUL_COMMAND, "look").splitlines() == made


@pytest.mark.slow
def test_what_make_install_lays_out_answers(tmp_path: Path) -> None:
    """As docs/install.md goes on after it, with the libraries of the lock file."""
    laid = tmp_path / "laid"
    subprocess.run([sys.executable, "-m", "release.tree", laid], cwd=ROOT, check=True)
    users, directories, *of_systemd = lines_of("From the source")[1:5]
    assert all(line.startswith("systemctl ") for line in of_systemd)
    *_, address, ask = lines_of("The Debian package")
    with CleanRoot() as root:
        shutil.copytree(laid, root.path, symlinks=True, dirs_exist_ok=True)
        root.shell(f"{users}\n{directories}")
        (root.path / "etc/virtcim/virtcim.toml").write_text(TEST_DRIVER)
        with service(root, "virtcim.socket"):
            root.run(*HEALTH)
            assert NAMES in root.shell(f"{address}\n{ask}")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the example."""
    directory = tmp_path_factory.mktemp("plugin")
    shutil.copytree(ROOT / "examples/virtcim-platform-example", directory / "example")
    return wheel_of(directory / "example", "wheel", directory / "wheel", "--no-isolation")


def test_a_plugin_is_added_listed_and_removed(root: CleanRoot, plugin: Path) -> None:
    wheel = root.put(plugin)
    assert root.run("virtcim", "plugin", "add", wheel).startswith("virtcim-platform-example 1.0 is added")
    root.run("virtcim", "plugin", "add", wheel)  # once more
    (_, row) = root.run("virtcim", "plugin", "list").splitlines()
    assert row.split() == ["virtcim-platform-example", "1.0", "example", "/var/lib/virtcim-plugins"]
    (root.path / "tmp/example.toml").write_text('[platforms]\ndisabled = ["test"]\n')
    listed = root.run("virtcim", "platform", "list", "--config", "/tmp/example.toml")
    assert ["example", "served"] in [line.split()[:2] for line in listed.splitlines()]
    assert root.run("virtcim", "plugin", "remove", "virtcim_platform.example").endswith("until it is restarted\n")
    assert list((root.path / "var/lib/virtcim-plugins").iterdir()) == []
    done = root.try_run("virtcim", "plugin", "remove", "virtcim-platform-example")
    assert done.returncode == 1
    assert "expected one of none: nothing was added" in done.stderr


def rewritten(wheel: Path, file: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> Path:
    """Write a wheel anew, with each file's name and content changed."""
    with zipfile.ZipFile(wheel) as archive, zipfile.ZipFile(file, "w") as made:
        for name in archive.namelist():
            made.writestr(*change(name, archive.read(name)))
    return file


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda name, data: (f"../{name}", data), "holds ../"),
        (lambda name, data: (name, data + b" " if name.endswith("__init__.py") else data), "is not what its RECORD"),
        (lambda name, data: (name.replace("dist-info", "info"), data), "has no metadata; expected a wheel"),
    ],
)
def test_what_is_no_whole_plugin_is_not_added(
    root: CleanRoot, plugin: Path, tmp_path: Path, change: Callable[[str, bytes], tuple[str, bytes]], expected: str
) -> None:
    done = root.try_run("virtcim", "plugin", "add", root.put(rewritten(plugin, tmp_path / "bad.whl", change)))
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((root.path / "var/lib").glob("virtcim-plugins/*"))


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


def everything(root: CleanRoot) -> set[str]:
    """Every path of a root, but for the caches of others."""
    words = ("find", "/", "-xdev", "-not", "-path", "/tmp/*", "-not", "-path", "/var/cache/*")
    return set(root.run(*words).splitlines())


@pytest.mark.slow
def test_removal_and_purge_leave_nothing(whole: dict[str, Path], plugin: Path) -> None:
    with CleanRoot() as root:
        before = everything(root)
        root.run("dpkg", "--no-triggers", "-i", *(root.put(file) for file in whole.values()))
        (root.path / "etc/virtcim/virtcim.toml").write_text(TEST_DRIVER)
        root.run("virtcim", "plugin", "add", root.put(plugin))
        with service(root, "virtcim.socket"):
            root.run("curl", "--silent", "--fail", "http://127.0.0.1:5988/health")
        root.run("dpkg", "--remove", "virtcim")
        assert (root.path / "var/lib/virtcim/password").exists(), "removal keeps the state"
        assert not (root.path / "usr/lib/virtcim").exists()
        root.run("dpkg", "--purge", "virtcim", "virtcim-cmpi")
        assert root.run("bash", "-c", "getent passwd virtcim || true") == ""
        # dpkg and the tools for users keep copies of their own files; the group libvirt may be libvirt's.
        left = {path for path in everything(root) - before if not path.startswith(("/var/lib/dpkg/", "/var/backups/"))}
        assert {
            path for path in left if path not in {"/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-"}
        } == set()
        assert before - everything(root) == set()


@pytest.mark.slow
def test_an_upgrade_keeps_subscriptions_jobs_plugins_and_configuration(
    packages: dict[str, Path], plugin: Path, tmp_path: Path
) -> None:
    """From the package of the commit before."""
    before = tmp_path / "before"
    added = subprocess.run(
        ["git", "worktree", "add", "--quiet", "--detach", before, "HEAD~1"], cwd=ROOT, capture_output=True, check=False
    )
    if added.returncode != 0:
        pytest.skip(f"there is no commit before: {added.stderr.decode()}")
    try:
        old = build(tmp_path / "old", "--trial", tree=before)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", before], cwd=ROOT, check=True)
    with CleanRoot() as root:
        root.run("dpkg", "--no-triggers", "-i", *(root.put(file) for file in old.values()))
        config = root.path / "etc/virtcim/virtcim.toml"
        config.write_text(TEST_DRIVER + "[providers.jobs]\ngrace = 0\n")
        (root.path / "tmp/eventful.py").write_text(EVENTFUL)
        with service(root, "virtcim.socket"):
            root.run(*HEALTH)
            made = root.run(*EVENTFUL_COMMAND, "make").splitlines()
        assert len(made) == 2
        new = [root.put(file) for file in packages.values()]
        root.run("dpkg", "--no-triggers", "--force-confold", "-i", *new)
        assert config.read_text().startswith(TEST_DRIVER)
        with service(root, "virtcim.socket"):
            root.run(*HEALTH)
            assert root.run(*EVENTFUL_COMMAND, "look").splitlines() == made
        root.run("virtcim", "plugin", "add", root.put(plugin))
        root.run("dpkg", "--no-triggers", "--force-confold", "-i", *new)
        assert "virtcim-platform-example" in root.run("virtcim", "plugin", "list")
