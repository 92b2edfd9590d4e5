"""Migrations that go on in the background as <prefix>_MigrationJob."""

from __future__ import annotations

from virtcim.providers.Virt_ConcreteJob.Virt_ConcreteJob import ConcreteJob

__all__ = ["MigrationJob"]


class MigrationJob(ConcreteJob):
    """A job that is a migration: libvirt-cim has a class of its own for it (Virt_MigrationJob)."""

    __slots__ = ()

    base = "MigrationJob"
    indicated_as = "ComputerSystemMigrationJob"


MigrationJob.table = ConcreteJob.table
