"""What an administrator may set for migrations.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from virtcim.immutable import immutable

__all__ = ["MigrationSettings"]


@immutable
class MigrationSettings:
    """Where guests may go, and how.

    Attributes:
        destinations: hosts beside the nodes that are served, each a name, an IP address or a whole libvirt URI; a name
            or an address becomes a URI by the TransportType that the client names, a URI is taken as it stands.
            Nothing else is ever connected to, whatever a client names.
        shared_directories: directories that all hosts have in common without libvirt seeing it, such as those of a
            cluster file system: disks there are not copied, and not held to be in danger.
        socket_directory: a directory that the hosts have in common, for the Unix sockets of migrations with
            TransportType 6 (IPC): between two libvirt daemons of one machine.  None: there is no such transport.
        check_directory: the administrator's own checks: each executable file is run before a migration, in the order
            of the names, with the guest's name, the URI of its hypervisor and a file with the lines of
            CheckParameters; all of it must belong to root, and nobody else may be able to write there.  What does not
            end with status 0 forbids the migration.  None: there are none.
        check_timeout: seconds that each of them gets.
        ssh_key: where MigrateSSHKeyCopy puts a key; as long as one is there, SSH to `destinations` that are names or
            addresses uses it.  None: there are no such keys.
        ssh_key_directory: the directory below which keys are that clients may name to MigrateSSHKeyCopy; it must belong
            to root, and nobody else may be able to write there.
    """

    destinations: Sequence[str] = ()
    shared_directories: Sequence[Path] = ()
    socket_directory: Path | None = None
    check_directory: Path | None = None
    check_timeout: float = 10.0
    ssh_key: Path | None = None
    ssh_key_directory: Path | None = None
