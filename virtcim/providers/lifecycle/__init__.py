"""What changes, as changes of instances: from the records of the inventories, the jobs, and libvirt's events."""

from __future__ import annotations

from virtcim.providers.lifecycle.several import LifecycleSources
from virtcim.providers.lifecycle.source import LifecycleSource, own_indications

__all__ = ["LifecycleSource", "LifecycleSources", "own_indications"]
