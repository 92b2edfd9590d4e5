"""A plugin for a foreign driver, installed by pip from outside the tree: VMware's, with stand-ins for its programs.

libvirt's driver runs vmrun for everything; what stands in for it keeps the files of the guests that run in a list.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pywbem

from tests.bed import Server, wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "virtcim-platform-workstation"
version = "1.2"

[project.entry-points."virtcim.platforms"]
workstation = "virtcim_platform_workstation:PLATFORM"

[tool.setuptools]
packages = ["virtcim_platform_workstation"]
"""

MODULE = '''\
"""VMware Workstation."""

from virtcim.platforms.base import BusDefaults, Feature, Platform, find_program

PLATFORM = Platform(
    prefix="Workstation",
    title="VMware Workstation",
    drivers=("VMware",),
    uris=("vmwarews:///session",),
    domain_types=("vmware",),
    os_types=("hvm",),
    features=Feature.SUSPEND | Feature.REBOOT | Feature.CONTROLLERS | Feature.GRAPHICS,
    buses=BusDefaults(disk="ide", network_model="e1000"),
    mac_prefix="00:50:56",
    detect=lambda: find_program("vmrun"),
    mof="""
class Workstation_ComputerSystem : Platform_ComputerSystem {
      [Description ("The number of its process.")]
   uint32 Process;
};
""",
    properties={"ComputerSystem": {"Process": lambda system: system.domain.id}},
)
'''

CONTRACT = """\
from virtcim_platform_workstation import PLATFORM

from virtcim.testing import platform_suite

TestWorkstation = platform_suite(PLATFORM)
"""

VMRUN = """\
#!/bin/sh
running={directory}/running
[ "$1" = -T ] && shift 2
echo "$@" >> {directory}/log
case $1 in
list) echo "Total running VMs: $(grep -c . $running)"; cat $running;;
start) echo "$2" >> $running;;
stop) grep -vxF "$2" $running > $running.new; mv $running.new $running;;
esac
"""

VERSION = "#!/bin/sh\necho 'VMware {} 15.5.0 build-1'\n"

GUEST = """\
config.version = "8"
virtualHW.version = "9"
displayName = "office"
guestOS = "other-64"
memsize = "512"
numvcpus = "2"
uuid.bios = "56 4d 9b ef ac d9 b4 e0-c8 f0 ae a8 b9 10 35 15"
ethernet0.present = "true"
ethernet0.connectionType = "bridged"
ethernet0.networkName = "VM Network"
ethernet0.addressType = "static"
ethernet0.address = "00:50:56:11:22:33"
"""


class Installed(NamedTuple):
    """The plugin where pip has put it, and a host with a guest that runs.

    Attributes:
        host: the directory with all that stands in for the host.
        environment: in which both are found.
    """

    host: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    package = source / "virtcim_platform_workstation"
    package.mkdir()
    (source / "pyproject.toml").write_text(PROJECT)
    (package / "__init__.py").write_text(MODULE)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(target), str(source)], check=True, timeout=300)
    host = tmp_path_factory.mktemp("host")
    programs, guest = host / "bin", host / "office"
    for directory in (programs, guest):
        directory.mkdir()
    texts = {"vmrun": VMRUN.format(directory=host), "vmware": VERSION.format("Workstation")}
    for name, text in {**texts, "vmplayer": VERSION.format("Player")}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (guest / "office.vmx").write_text(GUEST)
    (guest / "vmware.log").write_text("vmx| I125: Log for VMware Workstation pid=4711 version=15.5.0 build=build-1\n")
    (host / "running").write_text(f"{guest}/office.vmx\n")
    path = os.pathsep.join((str(target), str(ROOT)))
    return Installed(host, {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": path})


@pytest.fixture(scope="module")
def server(installed: Installed) -> Iterator[Server]:
    config = '[platforms]\ndisabled = ["vmwarehosted"]\n[inventory]\ninterval = 1.0\n'
    with Server("vmwarews:///session", config=config, environment=installed.environment) as made:
        yield made


def test_it_keeps_the_contract(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "test_platform.py").write_text(CONTRACT)
    environment = {**os.environ, **installed.environment}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stdout


def test_its_guests_are_served_and_switched(server: Server, installed: Installed) -> None:
    ask = server.pywbem()
    (guest,) = ask.EnumerateInstances("Virt_ComputerSystem")
    assert (guest.classname, guest["Name"], guest["EnabledState"]) == ("Workstation_ComputerSystem", "office", 2)
    assert guest["Process"] == 4711
    (port,) = ask.EnumerateInstances("Workstation_NetworkPort")
    assert port["NetworkAddresses"] == ["00:50:56:11:22:33"]
    assert ask.EnumerateInstances("Workstation_HostSystem")[0]["OperationalStatus"] == [2]
    for requested, state, told in ((9, 9, "pause"), (2, 2, "unpause"), (3, 3, "stop"), (2, 2, "start")):
        assert ask.InvokeMethod("RequestStateChange", guest.path, RequestedState=pywbem.Uint16(requested))[0] in (
            0,
            4096,
        )
        wait_until(lambda state=state: ask.GetInstance(guest.path)["EnabledState"] == state)  # type: ignore[misc]
        assert f"{told} " in (installed.host / "log").read_text()


def test_the_driver_decides_and_not_the_scheme(installed: Installed) -> None:
    """The platform names `VMware`, which serves `vmwareplayer:///session` as well, and no URI with this scheme."""
    config = '[platforms]\ndisabled = ["vmwarehosted"]\n'
    with Server("vmwareplayer:///session", config=config, environment=installed.environment) as served:
        ask = served.pywbem()
        wait_until(
            lambda: [each["Name"] for each in ask.EnumerateInstanceNames("Workstation_ComputerSystem")] == ["office"]
        )
