"""Discovery: the objects by which a server describes itself (DSP1092, DSP1033), in the Interop namespace.

Their classes are the DMTF's own, without leaf classes: clients write `CIM_ComputerSystem` into the names of the filters
and destinations that they create, and name it together with SystemName of the CIM_ObjectManager, so that there has to
be an instance of this very class.

The Interop namespace has several names.  Under each of them the same objects are served, in whose paths and references
stands the name that was asked for: clients compare the paths that they get with those that they built.
"""

from __future__ import annotations

from virtcim.cimom.discovery.catalog import INTEROP_NAMES, with_discovery
from virtcim.cimom.discovery.model import ServerIdentity

__all__ = ["INTEROP_NAMES", "ServerIdentity", "with_discovery"]
