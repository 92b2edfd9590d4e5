"""What an administrator may set for backups.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

from pathlib import Path

from virtcim.immutable import immutable

__all__ = ["BackupSettings"]


@immutable
class BackupSettings:
    """Where backups that are pulled can be read.

    Attributes:
        socket_directory: a directory on the hosts of the guests for Unix sockets over which backups are read by NBD.
            None: there is no such way.
        tls_address: the name or address of the guests' host at which backups are read by NBD with TLS; QEMU needs
            certificates for it (`backup_tls_x509_cert_dir` of qemu.conf).  "": there is no such way.
        tls_port: the port there; one backup at a time can be read at it.
    """

    socket_directory: Path | None = None
    tls_address: str = ""
    tls_port: int = 10809
