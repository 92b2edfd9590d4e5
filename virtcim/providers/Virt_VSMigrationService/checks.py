"""What speaks against a migration: facts of both hosts, disks that stay behind, and the administrator's checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from virtcim.libhelper.connections import is_local
from virtcim.libhelper.migrations import Finding, MigrationKind, MigrationOrder, findings
from virtcim.providers.Virt_VSMigrationService.external import run_checks
from virtcim.providers.Virt_VSMigrationService.migration import Migration
from virtcim.providers.Virt_VSMigrationService.sharing import disks_left

__all__ = ["Reason", "reasons_against"]

Reason = Finding
"""Something that speaks against a migration; as text `<check>: <what is wrong>`."""

_NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "gfs2", "ocfs2", "cifs", "smb3", "ceph", "lustre", "gpfs", "afs", "9p")
_MOUNTS = Path("/proc/self/mounts")


def reasons_against(migration: Migration, checkpoint: Callable[[], None] = lambda: None) -> Sequence[Reason]:
    """Find all that speaks against a migration; what is asked of both hosts takes its time.

    Parameters:
        migration: that is wanted.
        checkpoint: called where looking can be ended: by what it raises.

    Raises:
        CIMError: what is asked is not possible at all.
    """
    guest, order = migration.guest, migration.order()
    found: list[Reason] = []
    if migration.wrong_state:
        found.append(Reason("state", migration.wrong_state))
    found += findings(guest.domain, guest.hypervisor.facts, migration.destination.place, order)
    if order.kind is not MigrationKind.OFFLINE:
        found += _left_behind(migration, order)
    found += run_checks(migration, checkpoint)
    return found


def _left_behind(migration: Migration, order: MigrationOrder) -> Iterator[Reason]:
    """Disks of a guest that is to run over there which are this host's alone, as far as that can be told from here."""
    if not is_local(migration.guest.hypervisor.uri):
        return
    kinds = _file_systems()
    for disk in disks_left(order, migration.guest):
        path = disk.source_file
        if path is None:
            continue
        mount = max((each for each in kinds if Path(path).is_relative_to(each)), key=len, default="/")
        if not kinds.get(mount, "").startswith(("fuse.", *_NETWORK_FILE_SYSTEMS)):
            yield Reason(
                "storage",
                f"disk {disk.target_dev}: {path} is a file of this host alone; expected shared storage, "
                "one of the setting providers.migration.shared_directories, or CopyStorage",
            )


def _file_systems() -> dict[str, str]:
    """The types of the file systems of this machine, by where they are mounted."""
    lines = (line.split(" ") for line in _MOUNTS.read_text(errors="replace").splitlines())
    return {words[1].replace("\\040", " "): words[2] for words in lines if len(words) > 2}
