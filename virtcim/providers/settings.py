"""The settings of the providers; what is here loads nothing but settings."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from virtcim.immutable import immutable
from virtcim.providers.backupsettings import BackupSettings
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.migrationsettings import MigrationSettings

__all__ = ["ProviderSettings"]


@immutable
class ProviderSettings:
    """What an administrator may set for the providers.

    Attributes:
        namespace: where the instances live; used in values that hold a WBEM URI.
        settle_timeout: seconds to wait until the inventory shows what libvirt has reported as done.
        shutdown_timeout: seconds that a guest gets for an orderly stop when the client sets no time limit.
        transfer_directory: the directory whose files clients may have written into volumes, and below which they may
            have volumes written into new files; None for none.
        jobs: how work that takes time is run and kept.
        migration: where guests may go, and how.
        backup: where backups that are pulled can be read.
    """

    namespace: str = "root/virt"
    settle_timeout: float = 10.0
    shutdown_timeout: float = 60.0
    transfer_directory: Path | None = None
    jobs: JobSettings = field(default_factory=JobSettings)
    migration: MigrationSettings = field(default_factory=MigrationSettings)
    backup: BackupSettings = field(default_factory=BackupSettings)
