"""A provisioner that makes what is inside of an image the new guest's own, by virt-customize."""

from __future__ import annotations

import logging
import shutil
import subprocess

from virtcim.images.provisioners import NewGuest

__all__ = ["Sysprep"]

_log = logging.getLogger(__name__)

_PATIENCE = 900
"""Seconds: virt-customize boots a small system of its own."""
_WORK = (
    ("--truncate", "/etc/machine-id"),
    ("--run-command", "rm -f /etc/ssh/ssh_host_*"),
    ("--firstboot-command", "ssh-keygen -A"),
)


class Sysprep:
    """Takes the machine id and the SSH host keys out of the system disk of a guest."""

    def prepare(self, guest: NewGuest) -> None:
        """Change the system disk.

        Raises:
            RuntimeError: virt-customize cannot; the text says why.
        """
        tool = shutil.which("virt-customize")
        if tool is None or not guest.disks:
            _log.warning(
                "guest %r: is as its image is: virt-customize is not installed, or there is no disk", guest.name
            )
            return
        path, kind = next(iter(guest.disks.items()))
        command = [tool, "--quiet", "--format", kind, "--add", path, *(word for words in _WORK for word in words)]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        if done.returncode:
            raise RuntimeError(f"virt-customize: {(done.stderr or done.stdout).strip()[-300:]}")

    def finish(self, guest: NewGuest) -> None:
        """Do nothing: the guest does the rest when it boots."""

    def undo(self, guest: NewGuest) -> None:
        """Do nothing: the disk is deleted with the guest."""
