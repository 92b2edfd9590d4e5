"""Setting the disks of domains aside: the domain goes on in overlays, and what it had stands still to be read.

Layer rule: imports libvirt, context, errors, work and its siblings; knows nothing of CIM.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence

import libvirt

from virtcim.libhelper.context import Context
from virtcim.libhelper.documents.domain import Disk, DomainConfig
from virtcim.libhelper.documents.snapshot import SnapshotConfig, SnapshotDisk
from virtcim.libhelper.domains.handle import kept_open
from virtcim.libhelper.domains.jobs import changed_domain
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.names import is_misnamed_overlay
from virtcim.libhelper.work import Work
from virtcim.libhelper.xml.editing import object_text

__all__ = ["Overlays"]

_LOOK = 0.1
"""Seconds between two looks at how far a merge is."""
_MERGE = libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE | libvirt.VIR_DOMAIN_BLOCK_COMMIT_SHALLOW


class Overlays:
    """The operations on the overlays of domains of one hypervisor.

    Each takes the UUID of a domain, returns when libvirt has done it and the inventory has taken that in, and raises
    `LibvirtError` when libvirt refused.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def lay(self, domain: str, overlays: Mapping[str, str]) -> None:
        """Have a domain, running or not, go on in overlays over some of its disks; all of them at one moment, or none.

        Parameters:
            overlays: the path of the file to be made, by the target name of its disk.
        """
        with changed_domain(self._context, domain) as target:
            for path in () if target.isActive() else overlays.values():
                if is_misnamed_overlay(path):
                    raise LibvirtError(f"{path}: has a comma; expected none in the overlay of a domain that is off")
            disks = _disks(target)
            plan = SnapshotConfig(
                name=f"virtcim-{int(time.time())}",
                disks=tuple(
                    SnapshotDisk(name=name, snapshot="external", source_file=overlays[name], driver_type="qcow2")
                    if name in overlays
                    else SnapshotDisk(name=name, snapshot="no")
                    for name in disks
                ),
            )
            # libvirt keeps no record of it: the overlays are merged back, or stay as what the disks are.
            flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
            target.snapshotCreateXML(object_text(plan), flags | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA)

    def merge(self, domain: str, overlays: Mapping[str, str], work: Work) -> None:
        """Write what a domain has in overlays back into the disks below them, which are its disks again then.

        A domain that does not run is started for that, and stands still meanwhile: libvirt merges in no other one.

        Parameters:
            overlays: as `lay` had them; disks that lie in them no longer are left as they are.
            work: told how far it is.
        """
        with changed_domain(self._context, domain) as target:
            left = [name for name, path in overlays.items() if _disks(target).get(name) == path]
            with kept_open(target) if left else contextlib.nullcontext():
                for number, name in enumerate(left):
                    target.blockCommit(name, None, None, 0, _MERGE)
                    _finish(target, name, work, number, len(left))


def _disks(domain: libvirt.virDomain) -> dict[str, str]:
    """The paths of the disks of a domain, by target name; "" for those that have none."""
    config = DomainConfig.parse(domain.XMLDesc(0))
    found: Sequence[Disk] = [each for each in config.devices if isinstance(each, Disk)]
    return {each.target_dev or "": each.source_file or each.source_dev or "" for each in found}


def _finish(domain: libvirt.virDomain, disk: str, work: Work, number: int, count: int) -> None:
    """Wait until an overlay holds nothing that is not below it, and have the domain go on without it."""
    try:
        while (told := domain.blockJobInfo(disk, 0)) and not (told["end"] and told["cur"] == told["end"]):
            if told["end"]:
                work.report(number * told["end"] + told["cur"], count * told["end"])
            time.sleep(_LOOK)
        domain.blockJobAbort(disk, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
    except libvirt.libvirtError:
        with contextlib.suppress(libvirt.libvirtError):
            domain.blockJobAbort(disk, 0)
        raise
