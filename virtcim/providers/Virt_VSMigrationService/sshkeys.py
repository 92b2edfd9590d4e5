"""Keys for SSH to hosts that are no nodes: copied and removed as libvirt-cim did, without a shell.

Only what lies below one directory of the administrator's is ever read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from virtcim.providers.interface import CIMError, MethodResult, RequestContext, Status
from virtcim.providers.Virt_VSMigrationService.external import objection_to
from virtcim.providers.Virt_VSMigrationService.Virt_VirtualSystemMigrationService import MigrationCode

if TYPE_CHECKING:
    from virtcim.providers.methods import Parameters
    from virtcim.providers.migrationsettings import MigrationSettings
    from virtcim.providers.Virt_VSMigrationService.Virt_VirtualSystemMigrationService import MigrationService

__all__ = ["copy_key", "delete_key"]

_log = logging.getLogger(__name__)

_LARGEST = 65536
"""Bytes of a key."""


def copy_key(service: MigrationService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """MigrateSSHKeyCopy: put the key that SSH_Key_Src names where SSH will find it."""
    source = parameters.get("SSH_Key_Src")
    if not isinstance(source, str) or not source:
        raise CIMError(Status.FAILED, "Failed to get property 'SSH_Key_Src'.")
    settings = service.site.settings.migration
    target = _target(settings)
    try:
        data = _read(settings, Path(source))
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".virtcim-key-")
        try:
            with open(handle, "wb") as file:
                file.write(data)  # mkstemp has made it for its owner alone
            os.replace(name, target)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        _log.info("key %s: %s", source, error)
        text = f"Got error in copying ssh key from [{source}] to [{target}]."
        raise CIMError(Status.FAILED, text) from error
    return MethodResult(MigrationCode.COMPLETED)


def delete_key(service: MigrationService, parameters: Parameters, context: RequestContext) -> MethodResult:
    """MigrateSSHKeyDelete: remove the key again."""
    target = _target(service.site.settings.migration)
    try:
        target.unlink()
    except FileNotFoundError:
        raise CIMError(Status.FAILED, f"Can not find file [{target}] before delete.") from None
    except OSError as error:
        raise CIMError(Status.FAILED, f"Failed to delete [{target}].") from error
    return MethodResult(MigrationCode.COMPLETED)


def _target(settings: MigrationSettings) -> Path:
    if settings.ssh_key is None or settings.ssh_key_directory is None:
        raise CIMError(Status.FAILED, "Migration with special ssh key is not enabled in config file.")
    return settings.ssh_key


def _read(settings: MigrationSettings, source: Path) -> bytes:
    """Read a key.

    Raises:
        OSError: it is not below the directory, is no file, or is too large; the directory cannot be trusted.
    """
    assert settings.ssh_key_directory is not None
    directory = settings.ssh_key_directory.resolve(strict=True)
    if (objection := objection_to(directory)) is not None:
        raise PermissionError(objection)
    path = source.resolve(strict=True)
    if not path.is_relative_to(directory):
        raise PermissionError(f"{path}: is not below {directory}")
    # What is there now may be another thing than what was looked at: no link is followed any more.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            raise PermissionError(f"{path}: is no key; expected a file of at most {_LARGEST} bytes")
        return file.read(_LARGEST)
