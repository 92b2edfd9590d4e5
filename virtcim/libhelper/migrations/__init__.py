"""Moving domains from one hypervisor to another one.

Layer rule: imports libvirt, connections, context, xml, documents, errors, work and its siblings; knows nothing of CIM.
"""

from __future__ import annotations

from virtcim.libhelper.migrations.checks import Finding, findings
from virtcim.libhelper.migrations.migrations import Migrations
from virtcim.libhelper.migrations.order import MigrationKind, MigrationOrder, Place
from virtcim.libhelper.migrations.watch import Tuning

__all__ = ["Finding", "MigrationKind", "MigrationOrder", "Migrations", "Place", "Tuning", "findings"]
