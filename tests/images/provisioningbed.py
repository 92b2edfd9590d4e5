"""What the tests of provisioning do again and again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pycdlib
import pywbem

from tests.bed import Libvirtd, Server, wait_until
from tests.images.imagehost import ImageHost

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEbedKeyOfTheBedKeyOfTheBedKeyOfTheBedKey bed@example.com"
Command = Callable[..., tuple[int, str]]
"""Runs the command line: its arguments, its exit status and what it wrote."""

SERVICE = "KVM_VirtualSystemManagementService"
COMPLETED, TERMINATED, FAILED = 7, 8, 10
FINAL = (7, 8, 9, 10)
PATIENCE = 120.0

TEMPLATE = """\
id = "boot"
title = "Boot sector"
group = "linux"
platforms = ["KVM"]
customize = "cloud-init"

[image]
url = "{url}"
sha256 = "{sha256}"

[settings]
DomainType = "qemu"

[[resources]]
kind = "Mem"
VirtualQuantity = 64
AllocationUnits = "byte*2^20"
"""


class Provisioner:
    """A client of a server with templates, and virsh and qemu-img to see what came of it."""

    def __init__(self, daemon: Libvirtd, server: Server, pool: Path, images: ImageHost) -> None:
        self.daemon = daemon
        self.server = server
        self.pool = pool
        self.images = images
        self.wbem = server.pywbem()
        self.interop = server.pywbem("root/interop")
        # A server on a busy machine serves before its hypervisor has answered.
        (self.service,) = wait_until(lambda: self.wbem.EnumerateInstanceNames(SERVICE), PATIENCE)
        self.image = daemon.new_image().read_bytes()
        self.sha256 = hashlib.sha256(self.image).hexdigest()
        images.files["/boot.qcow2"] = self.image

    def template(self, id_: str, text: str = TEMPLATE, **values: str) -> str:
        """Put a template among the administrator's, and have it read; give the InstanceID of its settings."""
        url = values.pop("url", f"{self.images.url}/boot.qcow2")
        sha256 = values.pop("sha256", self.sha256)
        filled = text.format(url=url, sha256=sha256).replace('id = "boot"', f'id = "{id_}"')
        directory = self.server.directory / "templates.d"
        directory.mkdir(exist_ok=True)
        (directory / f"{id_}.toml").write_text(filled)
        self.reload()
        wait_until(lambda: self.found(f"template:{id_}@1"))
        return f"template:{id_}@1"

    def reload(self) -> None:
        """Have the server read its files again."""
        os.kill(self.server.pid, signal.SIGHUP)

    def found(self, instance_id: str) -> Any:
        try:
            return self.wbem.GetInstance(setting_path(instance_id))
        except pywbem.CIMError as error:
            if error.status_code != pywbem.CIM_ERR_NOT_FOUND:
                raise
            return None

    def define(self, template: str, name: str, *parameters: str, **properties: Any) -> Any:
        """DefineSystem after a template; the path of the job."""
        resources = properties.pop("resources", [])
        shown = pywbem.CIMProperty("TemplateParameters", list(parameters), type="string", is_array=True)
        given = {"VirtualSystemIdentifier": name, "TemplateParameters": shown, **properties}
        code, out = self.wbem.InvokeMethod(
            "DefineSystem",
            self.service,
            SystemSettings=pywbem.CIMInstance("KVM_VirtualSystemSettingData", given),
            ResourceSettings=[*resources],
            ReferenceConfiguration=setting_path(template),
        )
        assert code == 4096
        return out["Job"]

    def over(self, job: Any) -> Any:
        """The job, once it is over."""
        return wait_until(lambda: (shown := self.wbem.GetInstance(job))["JobState"] in FINAL and shown, PATIENCE)

    def provision(self, template: str, name: str, *parameters: str, **properties: Any) -> Any:
        """DefineSystem after a template, until it is done."""
        job = self.over(self.define(template, name, *parameters, **properties))
        assert job["JobState"] == COMPLETED, job["ErrorDescription"]
        return job

    def files(self) -> set[str]:
        """The names of what is in the pool."""
        return {path.name for path in self.pool.iterdir()}

    def info(self, name: str) -> dict[str, Any]:
        """What qemu-img says of a file of the pool."""
        command = ["qemu-img", "info", "--force-share", "--output=json", str(self.pool / name)]
        told: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return told


def setting_path(instance_id: str) -> pywbem.CIMInstanceName:
    return pywbem.CIMInstanceName("KVM_VirtualSystemSettingData", {"InstanceID": instance_id}, namespace="root/virt")


def seed_of(path: Path) -> dict[str, bytes]:
    """The files of a seed, as Joliet has them."""
    disc = pycdlib.PyCdlib()
    disc.open(str(path))
    found = {}
    for child in disc.list_children(joliet_path="/"):
        name = child.file_identifier().decode("utf-16_be", errors="ignore")
        if child.is_file():
            content = io.BytesIO()
            disc.get_file_from_iso_fp(content, joliet_path=f"/{name}")
            found[name] = content.getvalue()
    disc.close()
    return found
