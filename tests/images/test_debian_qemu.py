"""A real Debian with cloud-init, provisioned by the command line: what it makes of its seed, as its console says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.bed import wait_until
from tests.bed.debian import COMMAND_LINE, DebianGuest, debian_guest
from tests.bed.linux import UnavailableError
from tests.images.provisioningbed import KEY, Command, Provisioner

pytestmark = [pytest.mark.slow, pytest.mark.root]

BUILD = Path(__file__).parents[2] / "build" / "debian-cloud"
BOOT_SECONDS = 1500.0
"""Emulated, on a machine that has other things to do."""

USER_DATA = """\
#cloud-config
runcmd:
- |
  is="host=$$(hostname) full=$$(hostname --fqdn) file=$$(cat /etc/virtcim/bed) mode=$$(stat -c %a /etc/virtcim/bed)"
  echo "READ $$is key=$$(cat /home/debian/.ssh/authorized_keys) END" > /dev/ttyS0
power_state: {mode: poweroff}
"""

CONSOLE = """\
[[resources]]
kind = "Console"
SourceType = 4
SourcePath = "{}"

[[files]]
path = "/etc/virtcim/bed"
content = "of-${{hostname}}"
mode = "0640"
"""


@pytest.fixture(scope="module")
def debian() -> DebianGuest:
    try:
        return debian_guest(BUILD)
    except UnavailableError as error:
        pytest.skip(str(error))


def test_cloud_init_takes_host_name_and_key_from_the_seed(
    provisioner: Provisioner, virtcim: Command, debian: DebianGuest, tmp_path: Path
) -> None:
    settings = {"DomainType": "qemu", "Kernel": debian.kernel, "Ramdisk": debian.ramdisk, "CommandLine": COMMAND_LINE}
    options = [part for name, value in settings.items() for part in ("--setting", f"{name}={value}")]
    status, text = virtcim("template", "add-image", "Debian", "KVM", "linux", str(debian.image), *options)
    assert (status, text) == (0, "template debian@1\n")
    console, key, changed = tmp_path / "console", tmp_path / "key.pub", tmp_path / "debian.toml"
    document = virtcim("template", "show", "debian")[1]
    head, _, rest = document.partition("\n[")
    resources = CONSOLE.format(console)
    changed.write_text(f"{head}\nuser_data = '''\n{USER_DATA}'''\n\n[{rest}\n{resources}")
    status, text = virtcim("template", "edit", "debian", "--new-version", "--file", str(changed))
    assert (status, text) == (0, "template debian@2\n")
    key.write_text(f"{KEY}\n")
    given = ("--ssh-key", str(key), "--set", "hostname=deb-7.example.com", "--set", "memory=512 MiB")
    status, text = virtcim("provision", "debian", "--name", "first", *given)
    assert status == 0, text
    try:
        wait_until(lambda: "END" in said(console), BOOT_SECONDS)
        (read,) = re.findall(r"READ (.*) END", said(console))
        assert read == f"host=deb-7 full=deb-7.example.com file=of-deb-7.example.com mode=640 key={KEY}"
        # It switches itself off, and so is done with its seed.
        wait_until(lambda: "first-seed.iso" not in provisioner.files(), BOOT_SECONDS)
    except TimeoutError:
        pytest.fail(f"the console says last: {said(console)[-3000:]}")
    assert provisioner.daemon.list_all()["first"] == "shut off"
    assert {"first.qcow2"} <= provisioner.files()


def said(console: Path) -> str:
    """What a guest has written so far."""
    return console.read_text(errors="replace") if console.exists() else ""
