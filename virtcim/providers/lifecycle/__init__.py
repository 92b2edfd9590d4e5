"""What changes, as changes of instances: from the records of the inventories, the jobs, libvirt's events, and
what is watched beside these."""

from __future__ import annotations

from virtcim.providers.lifecycle.several import LifecycleSources
from virtcim.providers.lifecycle.source import LifecycleSource, own_indications
from virtcim.providers.lifecycle.watched import Watched

__all__ = ["LifecycleSource", "LifecycleSources", "Watched", "own_indications"]
